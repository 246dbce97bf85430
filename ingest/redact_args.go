package ingest

import (
	"net/url"
	"regexp"
	"strings"
)

// A flag that takes a secret as the next argument.
var secretFlag = regexp.MustCompile(`(?i)^--?[a-z0-9-]*` + secretWord + `$`)

// A name of a program that takes a secret with a short flag.
var shortFlags = regexp.MustCompile(`^(?:.*/)?(?:(mysql|mariadb|sshpass|mongo)[a-z-]*|(redis-cli)|(curl|wget))$`)

// redactArgs hides, in a list that may be a command and its arguments, what
// stands alone after a flag for secrets: --token X, mysql -pX, curl -u A:X.
func redactArgs(list []any) {
	program := ""
	for i, item := range list {
		arg, ok := item.(string)
		if !ok {
			return
		}
		if m := shortFlags.FindStringSubmatch(arg); m != nil {
			program = m[1] + m[2] + m[3]
			continue
		}
		var next string
		if i+1 < len(list) {
			next, _ = list[i+1].(string)
		}
		switch {
		case next != "" && !strings.HasPrefix(next, "-") && nameHints.in(arg) != 0 && secretFlag.MatchString(arg):
			list[i+1] = Redacted
		case program != "":
			shortArg(list, i, program, arg, next)
		}
	}
}

func shortArg(list []any, i int, program, arg, next string) {
	switch program {
	case "mysql", "mariadb", "sshpass", "mongo":
		if strings.HasPrefix(arg, "-p") && len(arg) > 2 {
			list[i] = "-p" + Redacted
		} else if arg == "-p" && next != "" && program != "mysql" && program != "mariadb" {
			list[i+1] = Redacted
		}
	case "redis-cli":
		if arg == "-a" && next != "" {
			list[i+1] = Redacted
		}
	default:
		switch arg {
		case "-u", "-U", "--user", "--proxy-user":
			if user, _, ok := strings.Cut(next, ":"); ok {
				list[i+1] = user + ":" + Redacted
			}
		}
	}
}

// redactQuery hides secrets in the query of a URL, of which the arguments of an
// exec stand one by one: command=--token&command=X.
func redactQuery(uri string) string {
	path, query, ok := strings.Cut(uri, "?")
	if !ok {
		return uri
	}
	pairs := strings.Split(query, "&")
	var args []any
	var at []int
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = lenientUnescape(value)
		}
		switch {
		case name == "command":
			args, at = append(args, plain), append(at, i)
		case value != "" && isSecretName(lenientUnescape(name)) && !boring(plain):
			pairs[i] = name + "=" + Redacted
		}
	}
	before := make([]any, len(args))
	copy(before, args)
	redactArgs(args)
	for i, arg := range args {
		text := redactText(arg.(string))
		if text != before[i] {
			pairs[at[i]] = "command=" + text
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}
