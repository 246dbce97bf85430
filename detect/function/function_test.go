package function

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
)

type env struct {
	V    any       `expr:"v"`
	W    any       `expr:"w"`
	Time time.Time `expr:"time"`
	Text string    `expr:"text"`
}

// TestExamples runs the example of every function: it has to be true.
func TestExamples(t *testing.T) {
	for _, f := range All() {
		t.Run(f.Name, func(t *testing.T) {
			if !strings.HasPrefix(f.Usage, f.Name+"(") || f.Doc == "" || !strings.Contains(f.Example, f.Name+"(") {
				t.Errorf("is not documented: %q, %q, %q", f.Usage, f.Doc, f.Example)
			}
			p, err := conf.Compile(env{}, f.Example, conf.Bool, Funcs()...)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := p.Bool(env{}); err != nil || !ok {
				t.Errorf("%s is %v, %v", f.Example, ok, err)
			}
		})
	}
}

func TestFunctions(t *testing.T) {
	at := time.Date(2026, 3, 1, 4, 30, 0, 0, time.UTC)
	for text, want := range map[string]any{
		`cidr(v, "10.0.0.0/8")`:                              false,
		`cidr("10.0.0.9:4312", ["10.0.0.0/8"])`:              true,
		`cidr("[fd00::1]:80", "fd00::/8")`:                   true,
		`cidr("::ffff:10.0.0.1", "10.0.0.0/8")`:              true,
		`cidr("10.0.0.1", "::ffff:10.0.0.0/104")`:            true,
		`cidr("10.0.0.1", "10.0.0.1")`:                       true,
		`cidr("fe80::1%eth0", "fe80::/10")`:                  true,
		`cidr("10.0.0.1; drop", "10.0.0.0/8")`:               false,
		`is_public("100.64.0.1")`:                            false,
		`is_public("169.254.169.254")`:                       false,
		`is_public("::1")`:                                   false,
		`is_public("2001:4860:4860::8888")`:                  true,
		`is_public("0.0.0.0")`:                               false,
		`is_public("0.1.2.3")`:                               false,
		`is_public("255.255.255.255")`:                       false,
		`is_public(v)`:                                       false,
		`is_private("::ffff:192.168.1.1")`:                   true,
		`glob("/a/b/c", "/a/*")`:                             false,
		`glob("/a/b/c", "/a/**")`:                            true,
		`glob("/a/b/c", "/a/*/c")`:                           true,
		`glob("a.c", "a.c")`:                                 true,
		`glob("abc", "a.c")`:                                 false,
		`glob("x.yml", "*.{yaml,yml}")`:                      true,
		`glob("a\nb", "a**b")`:                               true,
		`glob("a*", "a\\*")`:                                 true,
		`glob("ab", "a\\*")`:                                 false,
		`glob("é", "?")`:                                     true,
		`glob("b", "[!a-c]")`:                                false,
		`glob(v, "**")`:                                      false,
		`url_decode("%u0041%zz%41")`:                         "%u0041%zzA",
		`url_decode("/a+b?c+d")`:                             "/a+b?c d",
		`url_decode("%252525252e")`:                          "%25252e",
		`any_in([1, 2.5], [2.5])`:                            true,
		`any_in("a", ["a"])`:                                 true,
		`any_in([nil], [nil])`:                               false,
		`any_in([["a"]], [["a"]])`:                           false,
		`any_in(v, ["a"])`:                                   true,
		`all_in(v, ["a", "b"])`:                              true,
		`all_in(v, ["a"])`:                                   false,
		`base64_decode("YWI")`:                               "ab",
		`base64_decode("YW\nI=")`:                            "ab",
		`base64_decode("%%")`:                                "",
		`base64_decode("_-8=")`:                              "\xff\xef",
		`entropy("")`:                                        int64(0),
		`semver_compare("1.2.3-rc.1", "1.2.3")`:              int64(-1),
		`semver_in("1.30.1+k3s1", ">=1.30 <1.31")`:           true,
		`semver_in("v1", "1.x")`:                             true,
		`semver_in(v, "1.x")`:                                false,
		`path_base("/")`:                                     "",
		`path_dir("a")`:                                      ".",
		`path_dir(v)`:                                        "",
		`path_ext("/a.b/c")`:                                 "",
		`image_ref("nginx").repository`:                      "library/nginx",
		`image_ref("acme/shop@sha256:ab").tag`:               "",
		`image_ref("acme/shop@sha256:ab").digest`:            "sha256:ab",
		`image_ref("localhost:5000/a/b:1").registry`:         "localhost:5000",
		`image_ref("localhost:5000/a/b:1").name`:             "b",
		`image_ref("localhost/a").registry`:                  "localhost",
		`image_ref("index.docker.io/nginx:1").repository`:    "library/nginx",
		`image_ref("a b").name`:                              "",
		`image_ref(v).registry`:                              "",
		`quantity("100Mi")`:                                  int64(100 << 20),
		`quantity("1e3")`:                                    int64(1000),
		`quantity("1E")`:                                     1e18,
		`quantity("-1.5")`:                                   -1.5,
		`quantity("1e99")`:                                   1e99,
		`quantity("")`:                                       nil,
		`quantity("1 Gi")`:                                   nil,
		`quantity(7)`:                                        int64(7),
		`quantity(v) > 1`:                                    false,
		`hour(time)`:                                         int64(4),
		`hour(time, "America/New_York")`:                     int64(23),
		`weekday(time, "America/New_York")`:                  "saturday",
		`hour(v)`:                                            nil,
		`time_between(time, "04:30", "05:00")`:               true,
		`time_between(time, "04:00", "04:30")`:               false,
		`time_between(time, "22:00", "06:00")`:               true,
		`time_between(time, "22:00", "06:00", "Asia/Tokyo")`: false,
		`contains_any(v, "a")`:                               false,
		`matches_any(text, "^a", "b$")`:                      false,
		`any(v, {starts_with_any(#, ["b", "c"])})`:           true,
		`pod_spec(v)`:                                        nil,
		`pod_spec([{"op": "add", "path": "/spec/jobTemplate", "value": {"spec": {"template": {"spec": {"a": true}}}}}]).a`:             true,
		`pod_spec([{"op": "replace", "path": "/spec/template", "value": {"spec": {"a": true}}}, {"op": "remove", "path": "/spec"}]).a`: true,
		`pod_spec([{"op": "replace", "path": "/spec/jobTemplate/spec/template/spec", "value": {"a": true}}]).a`:                        true,
		`pod_spec([{"op": "replace", "path": "", "value": {"spec": {"template": {"spec": {"a": true}}}}}]).a`:                          true,
		`pod_spec([{"op": "test", "path": "/spec/template/spec", "value": {"a": true}}])`:                                              nil,
		`pod_spec([{"op": "add", "path": "/spec/replicas", "value": 3}, 7])`:                                                           nil,
		`containers(v)`: []any(nil),
		`any(["/x/y"], {path_base(#) == "y" and glob(#, "**")})`: true,
	} {
		p, err := conf.Compile(env{}, text, conf.Any, Funcs()...)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := p.Any(&env{V: []any{"a", "b"}, Time: at})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, %v; want %#v", text, got, err, want)
		}
	}
}

func TestConstantsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`cidr("1.2.3.4", text)`:                    "argument 2 of cidr has to be a constant",
		`cidr("1.2.3.4", "10.0.0.0/33")`:           `"10.0.0.0/33" is no network`,
		`cidr("1.2.3.4", [1])`:                     "want text, or a list of texts",
		`glob(text, "[a")`:                         "[ is not closed",
		`glob(text, "{a")`:                         "{ is not closed",
		`matches_any(text, "(")`:                   "missing closing",
		`matches_any(text, "(a{900}){9}")`:         "invalid repeat",
		`matches_any(text, "((abcdefgh){9}){19}")`: "pattern is too large",
		`semver_in(text, "what")`:                  "is no range of versions",
		`hour(time, "Mars/Olympus")`:               "is no time zone",
		`hour(time, "Local")`:                      "is no time zone",
		`time_between(time, "24:00", "1:00")`:      "is no time of day",
		`any(v, {glob(text, "a")})`:                "take it out of the loop",
	} {
		if _, err := conf.Compile(env{}, text, conf.Any, Funcs()...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
}

// TestFunctionsAreTotal gives every function values of all kinds in all places
// that are no constants: none may fail, and each gives the type it says.
func TestFunctionsAreTotal(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any { return anyValue(t, 3) })
	constants := map[string][]string{
		"cidr": {`"10.0.0.0/8"`}, "glob": {`"*a{b,c}[d]"`}, "matches_any": {`["a+", "b"]`}, "contains_any": {`["a"]`}, "starts_with_any": {`"a"`},
		"ends_with_any": {`"a"`}, "semver_in": {`">1"`}, "hour": {`"Asia/Tokyo"`}, "weekday": {`"UTC"`}, "time_between": {`"01:00"`, `"02:00"`},
		"any_in": {"w"}, "pluck": {`"spec.a"`}, "all_in": {"w"}, "semver_compare": {"w"},
	}
	for _, f := range All() {
		text := f.Name + "(" + strings.Join(append([]string{"v"}, constants[f.Name]...), ", ") + ")"
		p, err := conf.Compile(env{}, text, conf.Any, Funcs()...)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(f.Name, rapid.MakeCheck(func(t *rapid.T) {
			if _, err := p.Any(&env{V: value.Draw(t, "v"), W: value.Draw(t, "w")}); err != nil {
				t.Fatal(err)
			}
		}))
	}
}

func anyValue(t *rapid.T, depth int) any {
	n := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case n == 0:
		return nil
	case n == 1:
		return rapid.Bool().Draw(t, "bool")
	case n == 2:
		return rapid.Int64().Draw(t, "int")
	case n == 3:
		return rapid.SampledFrom([]float64{0, -1, math.NaN(), math.Inf(1), 1e300}).Draw(t, "float")
	case n == 4:
		return time.Unix(rapid.Int64().Draw(t, "time"), 0)
	case n == 5 && depth > 0:
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return anyValue(t, depth-1) }), 0, 4).Draw(t, "list")
	case n == 6 && depth > 0:
		keys := rapid.SampledFrom([]string{"spec", "template", "containers", "a"})
		return rapid.MapOfN(keys, rapid.Custom(func(t *rapid.T) any { return anyValue(t, depth-1) }), 0, 3).Draw(t, "map")
	case n == 7:
		return strings.Repeat(rapid.StringN(0, 9, -1).Draw(t, "part"), rapid.SampledFrom([]int{1, 40, 20_000}).Draw(t, "times"))
	}
	return rapid.SampledFrom([]string{"10.0.0.1", "1.2.3", "a/b:c@d", "%25%32", "1Gi", "2026-03-01T00:00:00Z", "Zm9v", "\xff\xfe", "[::1]:1"}).Draw(t, "text")
}

func FuzzFunctions(f *testing.F) {
	for _, s := range []string{"10.0.0.1:80", "ghcr.io/a/b:c@sha256:d", "%25%2e+?a+b", "1.5Ki", "v1.2.3-rc.1+x", "YWI=", "/a/../b.c", "2026-03-01T00:00:00Z"} {
		f.Add(s)
	}
	var programs []*conf.Program
	for _, text := range []string{
		`is_public(v) and is_private(v)`, `image_ref(v).tag`, `url_decode(v)`, `quantity(v)`, `semver_in(v, "~1.2")`, `base64_decode(v)`, `path_dir(v)`, `hour(v)`, `entropy(v)`,
	} {
		p, err := conf.Compile(env{}, text, conf.Any, Funcs()...)
		if err != nil {
			f.Fatal(err)
		}
		programs = append(programs, p)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range programs {
			out, err := p.Any(&env{V: s})
			if err != nil {
				t.Fatal(err)
			}
			if plain, ok := out.(string); ok && len(plain) > len(s)+8 {
				t.Fatalf("%q grew to %q", s, plain)
			}
		}
	})
}
