package logline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fuzzParser gives a parser any text, seeded with its golden lines. What it
// says must be sound, whatever was in it.
func fuzzParser(f *testing.F, name string) {
	p, ok := Lookup(name)
	if !ok {
		f.Fatalf("no parser %s", name)
	}
	files, _ := filepath.Glob(filepath.Join("testdata", name, "*.log"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			f.Add(strings.TrimSuffix(line, "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, ok := read(p, text, true); ok {
			sound(t, text, m)
		}
	})
}

func FuzzSSHD(f *testing.F)        { fuzzParser(f, "sshd") }
func FuzzPAM(f *testing.F)         { fuzzParser(f, "pam") }
func FuzzSyslog(f *testing.F)      { fuzzParser(f, "syslog") }
func FuzzAuditd(f *testing.F)      { fuzzParser(f, "auditd") }
func FuzzLaurel(f *testing.F)      { fuzzParser(f, "laurel") }
func FuzzPostgres(f *testing.F)    { fuzzParser(f, "postgres") }
func FuzzMySQL(f *testing.F)       { fuzzParser(f, "mysql") }
func FuzzMongoDB(f *testing.F)     { fuzzParser(f, "mongodb") }
func FuzzRedis(f *testing.F)       { fuzzParser(f, "redis") }
func FuzzKeycloak(f *testing.F)    { fuzzParser(f, "keycloak") }
func FuzzAuthentik(f *testing.F)   { fuzzParser(f, "authentik") }
func FuzzNextcloud(f *testing.F)   { fuzzParser(f, "nextcloud") }
func FuzzVaultwarden(f *testing.F) { fuzzParser(f, "vaultwarden") }
