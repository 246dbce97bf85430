package ingest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What keeps a pattern from being searched changes nothing of what is found.
func TestGateHidesNothing(t *testing.T) {
	words := newHints(hintsOf(patterns)) // no guard
	plain := make([]pattern, len(patterns))
	for i, p := range patterns {
		p.needs = nil
		plain[i] = p
	}
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{
			"password", "PassPhrase", "db_passwd", "pwd", "secret", "token", "credentials", "api_key", "client-key-id", "secretKeyID", "authorization", "Bearer", "basic", "cookie", "Set-Cookie",
			"x-api-key", "X-Vault-Token", "x-auth", "private-token", "identified by", "identified with a by", `"auth"`, `"auth\"`, "mysql", "mysqldump", "redis-cli", "curl", "wget", "sshpass", "mongo",
			"-p", "-a", "-u", "--user", "-----BEGIN PRIVATE KEY-----", "eyJabcdefgh.abcdef", "https://a:b@c", "AKIAABCDEFGHIJKLMNOP", "?command=", "command", "kubernetes.io/credential-id",
			"authorization.k8s.io/decision", "\u212a", "\u017f", "to\u212aen", "pa\u017fs", "pass\u017f", "phra\u017fe", `{"kind":"Secret","data":{"a":"b"}}`,
		}),
		rapid.SampledFrom([]string{"=", ":", ": ", " ", "\t", "\n", `\n`, `"`, `'`, `\`, `\"`, `\\"`, ",", "-", "--", "_", ".", "/", "@", "&", ";", "(", ")", "'s3cr3t'", `"s3cr3t"`, "s3cr3t!9", "abc", "0123456789abcdef", `\u0026`, "%3D", "%20"}),
	)
	check := func(t interface{ Fatalf(string, ...any) }, text string) {
		if len(text) < 8 {
			return
		}
		found := words.in(text)
		if strings.ContainsAny(text, "\u212a\u017f") {
			found = ^uint64(0)
		}
		want := ungated(text, found, plain)
		if got := redactText(text); got != want {
			t.Fatalf("%q\nbecame %q\nand    %q without the gate", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, strings.Join(rapid.SliceOfN(piece, 1, 9).Draw(t, "text"), ""))
	})
}

// ungated is redactFound without looking at what patterns need.
func ungated(s string, found uint64, all []pattern) string {
	if found&(1<<(len(all)+1)) != 0 && strings.Contains(s, "{") {
		s = dropSecretBodies(s)
	}
	if found&(1<<(len(all)+2)) != 0 {
		s = execs.ReplaceAllStringFunc(s, redactExec)
	}
	for i, p := range all {
		if found&(1<<i) != 0 {
			s = p.find.ReplaceAllString(s, p.replace)
		}
	}
	if found&(1<<len(all)) != 0 {
		s = escaped.ReplaceAllStringFunc(s, redactEscaped)
	}
	return s
}

// Names that are none of a secret's are told apart without a pattern, and those
// that are have an end that is looked for.
func TestSecretNameEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`(api|client|x|a.|set-|docker|)[_./-]?(key|pass|token|cookie|auth|cfg|configjson|id|secret|pwd|credentials?|authorization|passphrase)[_-]?(id|ID|s|)`).Draw(t, "name")
		if got := isSecretName(name); got != secretName.MatchString(name) {
			t.Fatalf("%q: %v", name, got)
		}
	})
}
