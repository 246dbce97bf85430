package conf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type spec struct {
	Title string            `yaml:"title,required"`
	Count int               `yaml:"count"`
	Ratio float64           `yaml:"ratio"`
	On    *bool             `yaml:"on"`
	Wait  Duration          `yaml:"wait"`
	Tags  []string          `yaml:"tags"`
	Words map[string]string `yaml:"words"`
	Steps []step            `yaml:"steps"`
	Any   any               `yaml:"any"`
	When  Expression        `yaml:"when"`
	Say   Template          `yaml:"say"`
	Key   SecretFile        `yaml:"key"`
	Small uint8             `yaml:"small"`
}

type step struct {
	Name string `yaml:"name,required"`
	With Raw    `yaml:"with"`
}

const head = "apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata:\n  name: a-rule\nspec:\n"

func document(t *testing.T, text string) (*Document, spec, error) {
	t.Helper()
	docs, err := Documents("a.yaml", []byte(text))
	if err != nil {
		return nil, spec{}, err
	}
	if len(docs) != 1 {
		t.Fatalf("got %d documents", len(docs))
	}
	var s spec
	return docs[0], s, docs[0].Decode(&s)
}

func TestDecodeGivesAll(t *testing.T) {
	text := head + `  title: "T"
  count: 3
  ratio: 2
  on: false
  wait: 1d12h
  tags: [a, "1"]
  words: {a: b}
  any: {x: [1, 2.5, true, null, "s"]}
  when: |
    verb == "get"
  say: hello ${verb}
  key: {file: /x}
  steps:
    - name: one
      with: {a: 1}
    - name: two
`
	docs, err := Documents("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var s spec
	if err := docs[0].Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Title != "T" || s.Count != 3 || s.Ratio != 2 || s.On == nil || *s.On || s.Wait.Std() != 36*time.Hour ||
		s.Tags[1] != "1" || s.Words["a"] != "b" || s.When.Text != "verb == \"get\"\n" || s.Key.Path != "/x" || len(s.Steps) != 2 {
		t.Errorf("got %+v", s)
	}
	if got, _ := json.Marshal(s.Any); string(got) != `{"x":[1,2.5,true,null,"s"]}` {
		t.Errorf("any is %s", got)
	}
	if d := docs[0]; d.Kind != "Rule" || d.Metadata.Name != "a-rule" || len(d.Digest()) != 64 {
		t.Errorf("document is %+v", d)
	}
	if fmt.Sprintf("%v %+v %#v", s.Key, s.Key, s.Key) != "<secret> <secret> <secret>" {
		t.Errorf("%v", s.Key)
	}
}

func TestProblemsHaveAPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":      {head + "  title: x\n  cuont: 3\n", `a.yaml:7:3: unknown key "cuont", did you mean "count"?`},
		"wrong type":       {head + "  title: x\n  count: yes it is\n", `a.yaml:7:10: expected a whole number, got text "yes it is"`},
		"number for text":  {head + "  title: 12\n", `a.yaml:6:10: expected text, got the number 12 (in quotes it would be text)`},
		"too large":        {head + "  title: x\n  small: 300\n", `a.yaml:7:10: expected a whole number, not negative, got the number 300`},
		"missing":          {head + "  count: 1\n", `a.yaml:6:3: required key "title" is missing`},
		"missing in list":  {head + "  title: x\n  steps:\n    - with: {}\n", `a.yaml:8:7: required key "name" is missing`},
		"nothing":          {head + "  title:\n", `expected text, got nothing`},
		"list for map":     {head + "  title: x\n  words: [a]\n", `expected a mapping, got a list`},
		"duration":         {head + "  title: x\n  wait: 5 minutes\n", `a.yaml:7:9: duration "5 minutes": want`},
		"negative":         {head + "  title: x\n  wait: -5m\n", `negative`},
		"duplicate":        {head + "  title: x\n  title: y\n", `a.yaml:7:3: `},
		"duplicate flow":   {head + "  title: x\n  words: {a: b, a: c}\n", `a.yaml:7:17: `},
		"no kind":          {"apiVersion: firebreak.io/v1alpha1\nmetadata: {name: x}\nspec: {}\n", `required key "kind" is missing`},
		"version":          {"apiVersion: firebreak.io/v1\nkind: Rule\nmetadata: {name: x}\nspec: {}\n", `a.yaml:1:13: apiVersion "firebreak.io/v1" is not supported (known: firebreak.io/v1alpha1)`},
		"name":             {"apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: A_b}\nspec: {}\n", `a.yaml:3:18: name "A_b" is not a DNS-1123 label`},
		"header key":       {"apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetdata: {name: x}\nspec: {}\n", `unknown key "metdata", did you mean "metadata"?`},
		"anchor":           {head + "  title: &a x\n", `a.yaml:6:10: anchors`},
		"alias":            {head + "  title: *a\n", `anchors`},
		"merge":            {head + "  <<: {title: x}\n", `anchors`},
		"tag":              {head + "  title: !!str x\n", `tags are not`},
		"syntax":           {head + "  title: 'x\n", `a.yaml:6:10: `},
		"tab":              {head + "\ttitle: x\n", `a.yaml:6:`},
		"second document":  {head + "  title: x\n---\n" + "kind: Rule\n", `a.yaml:8:1: required key "apiVersion" is missing`},
		"after marker":     {"--- a\n", `nothing may follow`},
		"invalid utf8":     {head + "  title: \xff\n", `a.yaml:6:1: text is not valid UTF-8`},
		"scalar":           {"hello", `expected a mapping, got text "hello"`},
		"depth":            {head + "  any: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), `nested more than 64 deep`},
		"block depth":      {strings.Repeat("- ", 100) + "a", `nested more than 64 deep`},
		"tokens":           {head + "  any: [" + strings.Repeat("a,", 20000) + "]", `too large`},
		"size":             {strings.Repeat("#", MaxFileBytes+1), `more than 262144`},
		"secret in line":   {head + "  title: x\n  key: hunter2\n", `a.yaml:7:8: a secret is given as the file that holds it: {file: PATH}`},
		"many at once":     {head + "  cuont: 3\n  tilte: x\n", `did you mean "title"?`},
		"documents in all": {"kind: A\n---\nkind: B\n", `a.yaml:3:1: required key`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := document(t, c.text)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestSnippetPointsAtThePlace(t *testing.T) {
	_, _, err := document(t, head+"  title: x\n  cuont: 3\n")
	want := "    7 |   cuont: 3\n      |   ^"
	if ps := Problems(err); len(ps) != 1 || ps[0].Snippet != want {
		t.Errorf("got %v\nwant\n%s", err, want)
	}
}

func TestExpressionsAreShownWhereTheyAreWritten(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		line, column int
	}{
		"plain":      {"  when: vreb == 1\n", 7, 9},
		"plain late": {"  when: verb == \"é\" and vreb == 1\n", 7, 25},
		"quoted":     {"  when: \"verb == \\\"x\\\" and vreb == 1\"\n", 7, 28},
		"single":     {"  when: 'verb == ''x'' and vreb == 1'\n", 7, 28},
		"literal":    {"  when: |\n    verb == \"x\" and\n      vreb == 1\n", 9, 7},
		"folded":     {"  when: >-\n    verb == \"x\" and\n    vreb == 1\n", 9, 5},
		"several":    {"  when: verb == \"x\" and\n    vreb == 1\n", 8, 5},
		"flow":       {"  words: {}\n  any: {a: [1, {b: 2}]}\n  when: vreb\n", 9, 9},
		"comment":    {"  # vreb\n  when: |- # vreb\n    // vreb is not known\n    vreb == 1\n", 10, 5},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Documents("a.yaml", []byte(head+"  title: x\n"+c.text))
			if err != nil {
				t.Fatal(err)
			}
			var s spec
			if err := docs[0].Decode(&s); err != nil {
				t.Fatal(err)
			}
			_, err = s.When.Compile(env{}, Bool)
			ps := Problems(err)
			if len(ps) != 1 || ps[0].Line != c.line || ps[0].Column != c.column || ps[0].File != "a.yaml" {
				t.Errorf("got %v, want %d:%d", err, c.line, c.column)
			}
		})
	}
}

func TestErrorfFindsThePath(t *testing.T) {
	docs, err := Documents("a.yaml", []byte("# first\n---\n"+head+"  steps:\n    - name: a\n    - name: b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e := docs[0].Errorf("spec.steps[1].name", "no %s", "b"); e.Line != 10 || e.Column != 13 || e.Msg != "no b" {
		t.Errorf("got %v", e)
	}
	if e := docs[0].Errorf("spec.nothing.here", "x"); e.Line != 8 {
		t.Errorf("got %v", e)
	}
}

func TestRawIsFilledIn(t *testing.T) {
	type with struct {
		Name  string   `yaml:"name,required"`
		Count int      `yaml:"count"`
		Hold  Duration `yaml:"hold"`
		List  []string `yaml:"list"`
	}
	docs, err := Documents("a.yaml", []byte(head+`  title: x
  steps:
    - name: a
      with: {name: "pod ${object.name}", count: "${fields.n}", hold: "${fields.n}m", list: [a, "${verb}"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var s spec
	if err := docs[0].Decode(&s); err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(s.Steps[0].With)
	if err != nil {
		t.Fatal(err)
	}
	var again Raw
	if err := json.Unmarshal(stored, &again); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []*Raw{&s.Steps[0].With, &again} {
		if err := raw.Check(env{}, new(with)); err != nil {
			t.Fatal(err)
		}
		var got with
		if err := raw.Fill(&sample, &got); err != nil {
			t.Fatal(err)
		}
		if got.Name != "pod x" || got.Count != 7 || got.Hold.Std() != 7*time.Minute || got.List[1] != "get" {
			t.Errorf("got %+v", got)
		}
		if err := raw.Check(env{}, new(struct{})); err == nil || !strings.Contains(err.Error(), `unknown key "name"`) {
			t.Errorf("got %v", err)
		}
	}
	wrong := sample
	wrong.Fields = fields{"n": "many"}
	if err := again.Fill(&wrong, new(with)); err == nil {
		t.Error("no error for text where a number has to be")
	}
	var none Raw
	if err := none.Check(env{}, new(step)); err == nil || !strings.Contains(err.Error(), `"name" is missing`) {
		t.Errorf("got %v", err)
	}
}

// TestFilled: what means more when it is left out is not left out by a text that
// comes out empty, nor by one that is written so.
func TestFilled(t *testing.T) {
	type with struct {
		Where string `yaml:"where,filled"`
		Note  string `yaml:"note"`
	}
	for name, c := range map[string]struct{ text, want string }{
		"left out":        {`{note: "${object.kind}"}`, ""},
		"given":           {`{where: "${object.name}"}`, ""},
		"comes out empty": {`{where: "${object.kind}", note: x}`, "a.yaml:9:21: where is empty"},
		"written empty":   {`{where: ""}`, "a.yaml:9:21: where is empty"},
		"another's":       {`{where: x, note: ""}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Documents("a.yaml", []byte(head+"  title: x\n  steps:\n    - name: a\n      with: "+c.text+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			var s spec
			if err := docs[0].Decode(&s); err != nil {
				t.Fatal(err)
			}
			raw, e := s.Steps[0].With, sample
			e.Object.Kind = ""
			err = raw.Check(env{}, new(with))
			if err == nil {
				err = raw.Fill(&e, new(with))
			}
			if (err != nil) != (c.want != "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestDecodePlainFile(t *testing.T) {
	var s spec
	if err := Decode("a.yaml", []byte("title: x\n"), &s); err != nil || s.Title != "x" {
		t.Errorf("got %+v, %v", s, err)
	}
	if err := Decode("a.yaml", []byte("title: x\n---\ntitle: y\n"), &s); err == nil {
		t.Error("no error for two documents")
	}
	var e *Error
	if err := Decode("a.yaml", []byte("titel: x\n"), &s); !errors.As(err, &e) || e.Line != 1 {
		t.Errorf("got %v", err)
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := (SecretFile{Path: "key"}).Read(dir); err != nil || got != "s3cret" {
		t.Errorf("got %q, %v", got, err)
	}
	if (SecretFile{Path: "key"}).Exposed(dir) {
		t.Error("0600 is not exposed")
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty", "none"} {
		if _, err := (SecretFile{Path: name}).Read(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Problems go to the terminal and to logs; what stands where a file should is
// most often the secret itself.
func TestSecretIsNotRepeated(t *testing.T) {
	for name, text := range map[string]string{
		"text":           "  key: hunter2\n",
		"key":            "  key: {value: hunter2}\n",
		"block":          "  key:\n    value: hunter2\n",
		"beside a file":  "  key: {file: x, value: hunter2}\n",
		"list":           "  key: [hunter2]\n",
		"file":           "  key: {file: [hunter2]}\n",
		"number":         "  key: 4711\n  cuont: 1\n",
		"its line":       "  {cuont: 1, key: hunter2}\n",
		"its line later": "  {key: hunter2, cuont: 1}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := document(t, head+text)
			if err == nil {
				t.Fatal("no error")
			}
			if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, "4711") {
				t.Errorf("repeats the secret:\n%s", text)
			}
		})
	}
}

func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		head + "  title: x\n", "---\n...\n--- #\na: [b, {c: d}]\n", "a: |\n  b\n c: >-\n", "- - - a\n", "{a: 'b', \"c\": 1.5}", "? a\n: b", "a: &x b\nc: *x",
		"\ufeffkind: x", "a:\n\t- b", "a: \"\\u0041\\n\"", "%YAML 1.2\n---\na: b", "a: !!binary x", "0x1: 0b1\n.inf: ~",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// A parser that hangs never returns to be measured.
		hung := time.AfterFunc(5*time.Second, func() { panic(fmt.Sprintf("hangs on %q", data)) })
		defer hung.Stop()
		docs, _ := Documents("f", data)
		for _, d := range docs {
			var s spec
			_ = d.Decode(&s)
			_, _ = s.When.Compile(env{}, Bool)
			_, _ = s.Say.Compile(env{})
			_ = d.Errorf("spec.steps[0].name", "x")
		}
		var s spec
		for _, p := range Problems(Decode("f", data, &s)) {
			_ = p.Error()
		}
	})
}
