package demo

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTally(t *testing.T) {
	const head = `{"verb":"patch","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"pods","namespace":"shop","name":"web"},"responseStatus":{"code":200}}
{"verb":"patch","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"pods","namespace":"shop","name":"other"},"responseStatus":{"code":409}}
{"verb":"get","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"nodes","name":"n"},"responseStatus":{"code":200}}
{"verb":"create","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"tokenreviews"},"responseStatus":{"code":201}}
{"verb":"delete","user":{"username":"somebody"},"objectRef":{"resource":"pods","namespace":"shop","name":"api"},"responseStatus":{"code":200}}
`
	for _, c := range []struct{ line, want string }{
		{"", "1 × patch pods"},
		{`{"verb":"create","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"networkpolicies","namespace":"shop"},"responseStatus":{"code":201}}`, "1 × create networkpolicies, 1 × patch pods"},
		{`{"verb":"delete","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"networkpolicies","namespace":"shop","name":"theirs"},"responseStatus":{"code":200}}`, ""},
		{`{"verb":"patch","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"pods","namespace":"shop","name":"api"},"responseStatus":{"code":200}}`, ""},
		{`{"verb":"patch","user":{"username":"` + accountUser + `"},"objectRef":{"resource":"nodes","name":"n"},"responseStatus":{"code":200}}`, ""},
		{`{"verb":"cre`, ""},
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		if err := os.WriteFile(path, []byte(head+c.line), 0o600); err != nil {
			t.Fatal(err)
		}
		entries, err := readLog(path)
		got := ""
		if err == nil {
			got, err = tally(entries, map[string]bool{"shop/web": true})
		}
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v, want %q", c.line, got, err, c.want)
		}
	}
}
