package logline

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "said",
		Doc: "A line of no known form that says in words that a login failed or succeeded, and from which address or as whom: " +
			"applications, mail, file and telephone servers. Whose words they are nobody knows.",
		Order:    OrderGeneral + 1,
		Unplaced: true,
		Parse:    parseSaid,
	})
}

// maxSaid is how much of a text is read for what it says.
const maxSaid = 2048

func parseSaid(text string) (Message, bool) {
	m := Message{Text: text}
	if text := head(text, maxSaid); !holdsAddress(text) && !holdsName(text) || !saidLogin(&m, text) {
		return Message{}, false
	}
	leadingTime(&m)
	return m, true
}

// holdsAddress says whether a text may hold an IP address. It is what keeps a
// plain line cheap.
func holdsAddress(text string) bool {
	dots, colons := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			if dots++; dots == 3 {
				return true
			}
		case c == ':':
			if colons++; colons == 7 || i > 0 && text[i-1] == ':' {
				return true
			}
		case c >= '0' && c <= '9':
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			dots = 0
		default:
			dots, colons = 0, 0
		}
	}
	return false
}

// holdsName says whether a text may name a user. It keeps a plain line cheap.
func holdsName(text string) bool {
	return slices.ContainsFunc([]string{"user", "User", "USER", " for ", " as ", "ccount", "mail"}, func(word string) bool { return strings.Contains(text, word) })
}

// saidLogin makes a login of a message when the text says that one failed or
// succeeded, and the message or the text tells the client's address or names
// the user: without both it is anybody's guess who it was, and often the
// program itself.
func saidLogin(m *Message, text string) bool {
	lower, outcome := strings.ToLower(text), event.OutcomeFailure
	if !saysFailure(lower) {
		if !saysSuccess(lower) {
			return false
		}
		outcome = event.OutcomeSuccess
	}
	client, doubtful := m.Address, false
	if client == "" {
		client, doubtful = clientSaid(lower)
	}
	if client == "" && !doubtful && !unplacedLogin(m.User, text, lower) {
		return false
	}
	if m.Fields == nil {
		m.Fields = map[string]any{}
	}
	m.login(outcome)
	m.Address = client
	if doubtful {
		m.Fields["doubtful"] = true
	}
	if m.User == "" {
		m.User = userSaid(text)
	}
	if outcome == event.OutcomeFailure && unknownUser.MatchString(lower) {
		m.Fields["invalid_user"] = true
	}
	return true
}

// unplacedLogin says whether a text that tells no client is still of a login
// here: the user is named so that it can be no other word, no address stands
// there, which would be a server's, and no library speaks with which the
// program itself logs in somewhere.
func unplacedLogin(user, text, lower string) bool {
	return !holdsAddress(text) && !ownLogin.MatchString(lower) && (user != "" || namedUser.MatchString(text))
}

// A word of failure and one of logins stand in each text that is looked at
// closer.
var (
	failureWords = []string{"fail", "invalid", "incorrect", "denied", "wrong", "unsuccessful", "unknown user", "no such user", "mismatch", "bad ", "auth-error", "auth error",
		"nonexistent", "locked user", "reject", "refused", "not authori", "might not", "authentication error", "nt_status", "unable to log"}
	loginWords = []string{"log", "auth", "sign", "pass", "cred", "user", "account", "registration"}
)

const (
	loginWord = `((log|sign)[ -]?(in|on)s?|auth|authentication|passwords?|passwd|credentials?)`
	between   = `([ _-](attempt|attempts|request|check|verification|validation|of|for|as|by|user|username|account|password|with|via|method|((for|as|by|of|user|account) )[^ ]{1,64}))*`
	failed    = `(failed|failure|fail|denied|rejected|refused|incorrect|invalid|unsuccessful|mismatch|did not match|not accepted)`
	before    = `(failed|failure|fail|invalid|incorrect|wrong|bad|unsuccessful|denied|rejected|refused)`
	filler    = `([ _-](or|and|with|to|the|a|an|user'?s?|ssh|ftp|web|admin|imap|smtp|sasl|sip|basic|ldap|local|api|missing|user ?name|email|[12]fa|second[ -]factor))*`
)

var (
	saysFailed = regexp.MustCompile(`\b` + loginWord + between + `[ :_,-]+(was |is |has been |has )*` + failed + `\b` +
		`|\b` + before + filler + `[ _-](` + loginWord + `|authenticate)\b` +
		`|\b(tls )?auth(entication)?[ -](fail|failure|error)\b|\bauthfail\b|\binvalidpassword\b|\bauth failed\b` +
		`|\b(invalid|incorrect|wrong|unknown|bad)[ _](user ?name|user|e?-?mail|email address|account name)(,| or|/| and)[a-z ]{0,24}password` +
		`|\b(no such|unknown|nonexistent) user\b|\binvalid user [^ ]{1,64} from\b|\buser (name )?(was |is )?(unknown|does not exist|doesn't exist)` +
		`|http access denied: user|\bauthentication request for .{1,128} (has been )?denied|\b(login|authentication)( attempt)? from .{1,160} (failed|denied|might not have worked)` +
		`|\bregistration from .{1,256} failed for|has failed authentication|(failed|unable) to (log ?in|sign ?in)\b` +
		`|\bsecurityevent="(invalidaccountid|challengeresponsefailed)"|\battempt was made to authenticate the locked user\b` +
		`|nt_status_(no_such_user|wrong_password|logon_failure|account_locked_out)|disconnected: not authori[sz]ed`)
	// notOne are texts about logins that tell of none: counts, limits, pardons
	// and settings, and a program that could not connect somewhere itself.
	notOne = regexp.MustCompile(`\b(no|0|zero|without|last|previous|since|clear(ed|ing)?|reset(ting)?|max(imum)?|limit|unban(ned)?|unblock(ed)?|unlock(ed)?|ignor(ed|ing)) ([a-z]+ )?(invalid|failed|unsuccessful|bad) ?(log|sign|auth|pass)` +
		`|\battempts? since\b|\b(dial(l?ing)?|upstream|handshake|re-?connecting|sqlstate|(able|could not|cannot|can't|failed) (to )?connect|connect(ing|ion)? to|bind(ing)? to)\b`)
	// elsewhere is a program that could not log in somewhere itself, unless the
	// text says from where.
	elsewhere = regexp.MustCompile(`\b(log(ging)?|sign(ing)?)[ -]?(in|on) to\b|\bauthenticat(e|ing|ion) (to|at|against)\b`)
	fromWhere = regexp.MustCompile(`\bfrom[: ]+([a-z]+ ){0,2}[^a-z0-9 ]{0,3}[0-9a-f]{1,4}[.:]`)

	// ownLogin are the words of libraries and programs that log in elsewhere.
	ownLogin = regexp.MustCompile(`\b(pq|psycopg2?|pgx|sqlalchemy|operationalerror|jdbc|hikari(cp|pool)?(-[0-9]+)?|pdo(exception)?|mysqli|mysql2?|ora-[0-9]+|wrongpass|mongo(server)?error|mongoose|` +
		`p?sqlexception|smtp(exception|error)?|imaplib|ldap|registry|pull|image|git|remote|proxy|broker|backend|webhook|client|api[ _-]?key|token|certificate)\b`)
	// namedUser is a user who is named for certain, quoted or behind a word that
	// says what it is, or at the end of the sentence.
	namedUser = regexp.MustCompile(`(?i)\b(user|user[ _-]?name|login|account|uname|acct)[=:] ?["'<]?[^ ="'<>]|\b(user|user ?name|account|for|as) ["'\x60<\[][^"'\x60<>\[\]]{1,128}["'\x60>\]]` +
		`|\b(user|user ?name) [^ "'<>(),;:\[\]]{1,128} (failed|log|denied)|\b(failed|failure|denied|rejected|refused|attempt|login|password|credentials) (for|as|of|by) ((invalid |unknown )?(user(name)?|account) )?[^ "'<>(),;:\[\]]{1,128}([.,;]|$)` +
		`|\binvalid user [^ ]{1,64}$|\buser [^ ]{1,64} (not found|unknown|does not exist)`)

	unknownUser = regexp.MustCompile(`\b(no such|unknown|nonexistent) user\b|\buser (name )?(was |is )?(not found|unknown|does not exist|doesn't exist)|could not find (a login|user)|no user found|no_such_user|"invalidaccountid"`)

	// saysLoggedIn is a login that succeeded; notSucceeded are texts of earlier
	// ones, of conditions and of logins elsewhere.
	saysLoggedIn = regexp.MustCompile(`\b(log(ged)?|sign(ed)?)[ -]?(in|on) (was )?(success(ful(ly)?)?|succeeded)\b|\b(auth|authentication) (was )?(success(ful(ly)?)?|succeeded)\b` +
		`|\bsuccess(ful(ly)?)? (web |ssh |api |ftp |user )?((log(ged)?|sign(ed)?)[ -]?(in|on)|auth(entication|enticated)?)\b` +
		`|\bis now logged in\b|\bok login\b|\bauth-success\b|\b(imap|pop3|submission|managesieve)-login: (info: )?login: user=|\bsecurityevent="successfulauth"` +
		`|\buser( [^ ]{1,64})? (has )?logged in\b`)
	notSucceeded = regexp.MustCompile(`\b(last|previous|since|not|no|without|until|if|unless|before|after|when|must|fail(ed|ure|s)?|logged (in|on) to|in to|redirect[a-z]*)\b`)
)

func saysSuccess(lower string) bool {
	return (strings.Contains(lower, "succe") || strings.Contains(lower, "logged in") || strings.Contains(lower, "login")) &&
		saysLoggedIn.MatchString(lower) && !notSucceeded.MatchString(lower) && !notOne.MatchString(lower) && !elsewhere.MatchString(lower)
}

func saysFailure(lower string) bool {
	contained := func(word string) bool { return strings.Contains(lower, word) }
	return slices.ContainsFunc(failureWords, contained) && slices.ContainsFunc(loginWords, contained) &&
		saysFailed.MatchString(lower) && !notOne.MatchString(lower) && (!elsewhere.MatchString(lower) || fromWhere.MatchString(lower))
}

// saidAddress is what may be an address, and what stands before it.
var saidAddress = regexp.MustCompile(`(^|[^0-9a-f.])((?:::ffff:)?[0-9]{1,3}(?:[.][0-9]{1,3}){3}|\[?[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\]?)(?:[:/]([0-9]{1,5}))?($|[^0-9a-f.:]|[.:]($|[^0-9a-f]))`)

var (
	clientMark = regexp.MustCompile("(?:^|[^a-z])(from|by|client|clientip|ip|ip[ _-]?addr(ess)?|rip|rhost|addr|remote|remote[ _.-]?(addr(ess)?|ip|host)|peer|peername|source|src|failed for|with)" +
		"[ =:\"'`(<\\[/]*(private |public )?((ip|host|address|client|user)[ =:\"'`(<\\[]+)*(tcp://|udp://|tls://|(ipv[46]|udp|tcp|tls)[:/]){0,2}/?$|(?:^|[ :])\\([^ ()@:]*@$")
	serverMark = regexp.MustCompile("(\\b(to|at|on|lip|local|localaddr(ess)?|local[ _.-]?(host|ip|addr(ess)?)|server|host|dst|dest|destination|via|against|listen(er|ing)?|bind|through|url|target|i)[ =:\"'`(<\\[/]*((ip|host|ipv[46]|udp|tcp|tls)[ =:/]*)*|@['\"]?|->|[a-z]://[^ |]*)$")
	plainMark  = regexp.MustCompile("(^|[\\[({|\"'`<,]|[.:] )$")
)

// clientSaid is the address of whom a text tells, in lower case: the one
// behind a word like from, ip or client, else the only one that stands by
// itself and is no server's. It is doubtful when there are several.
func clientSaid(lower string) (client string, doubtful bool) {
	marked, plain := "", ""
	several, plains := false, false
	for at := 0; ; {
		i := saidAddress.FindStringSubmatchIndex(lower[at:])
		if i == nil {
			break
		}
		text, port := lower[at+i[4]:at+i[5]], ""
		if i[6] >= 0 {
			port = lower[at+i[6] : at+i[7]]
		}
		ahead := lower[max(at+i[4]-64, 0) : at+i[4]]
		if text[0] == '[' {
			ahead += "["
		}
		at += i[5]
		a := address(strings.Trim(text, "[]"))
		if a == "" {
			continue
		}
		switch {
		case hostMark(ahead) || clientMark.MatchString(ahead):
			several = several || marked != "" && marked != a
			marked = a
		case serverMark.MatchString(ahead) || isServerPort(port):
		case plainMark.MatchString(ahead) || isStamp(ahead):
			if plain == "" {
				plain = a
			}
			plains = plains || plain != a
		}
	}
	switch {
	case several:
		return "", true
	case marked != "":
		return marked, false
	case plains && !strings.HasPrefix(plain, "["):
		return "", true
	}
	return plain, false
}

// hostMark is a "host [" that is not the server's own: Samba writes both.
func hostMark(ahead string) bool {
	return strings.HasSuffix(ahead, "remote host [ipv4:") || strings.HasSuffix(ahead, "remote host [ipv6:")
}

// isStamp says whether a time stands before: the address then begins the text.
func isStamp(ahead string) bool {
	ahead = strings.TrimRight(ahead, " ")
	return len(ahead) >= 8 && strings.Count(ahead[len(ahead)-8:], ":") >= 2 && digits(ahead[len(ahead)-2:])
}

// isServerPort says whether a client would hardly have this port.
func isServerPort(port string) bool { return port != "" && len(port) < 5 }

// The forms in which a text names a user, the plainest first.
var userForms = []*regexp.Regexp{
	regexp.MustCompile(`\buser=<([^<>]{1,128})>`),
	regexp.MustCompile(`\[([^\[\]]{1,128})\] (?:FAIL|OK) LOGIN: Client "`),
	regexp.MustCompile(`(?:^|\] )([^ ]{1,128}) is now logged in`),
	regexp.MustCompile(`(?i)(?:^|,)AccountID="([^"]{1,128})"`),
	regexp.MustCompile(`\b(?:sql|passwd-file|pam|ldap|shadow|lua|oauth2|static)\(([^ ,()]{1,128}),`),
	regexp.MustCompile(`(?i)"(?:user(?:[ _-]?name)?|login|email)" ?: ?"([^"]{1,128})"`),
	regexp.MustCompile(`(?i)(?:^|[ (\[{,;|])(?:db:[^ ]{1,64} )?(?:user(?:[ _-]?name)?|login|email|uname|set_id|sasl_username|acct)[=:] ?([^ =,;)\]"'<>]{1,128})(?:$|[ ,;)\]"'>])`),
	regexp.MustCompile("(?i)\\b(?:user(?:[ _-]?name)?|login|account(?:id)?|email|for|as)[ =:]*(?:\"([^\"]{1,128})\"|'([^']{1,128})'|`([^`]{1,128})`|<([^<>]{1,128})>|\\[(?:[^\\[\\]]*\\]\\\\\\[)?([^\\[\\]]{1,128})\\]|\\(([^()]{1,128})\\))"),
	regexp.MustCompile(`(?i)\b(?:(?:for|as) (?:(?:(?:invalid |unknown |nonexistent )?user(?:name)?|account) )?|user )([^ "'<>(),;:\[\]]{1,128})(?: |$|[,.;:)])`),
}

// userSaid is whom the text names, as it is written; empty when that is not
// plain.
func userSaid(text string) string {
	const most = 4
	for _, form := range userForms {
		for _, parts := range form.FindAllStringSubmatch(text, most) {
			for _, s := range parts[1:] {
				s = strings.TrimSuffix(s, ".")
				if s != "" && strings.IndexByte(":{", s[0]) < 0 && address(s) == "" && !isFiller(s) {
					return s
				}
			}
		}
	}
	return ""
}

// isFiller is a word that stands where a name would.
func isFiller(s string) bool {
	switch strings.ToLower(s) {
	case "user", "username", "from", "ip", "the", "a", "an", "peer", "client", "host", "with", "password", "login", "and", "or", "in", "on", "to", "name", "unknown", "not", "attempt", "scheme",
		"authentication", "has", "was", "is", "null", "none", "-", "--", "account", "failed", "private", "entered", "reason", "due", "this", "that":
		return true
	}
	return false
}

// leadingTime reads the time at the beginning of a line, in the forms that
// most programs write.
func leadingTime(m *Message) {
	text := strings.TrimLeft(m.Text, "[(")
	first, _ := word(head(text, 40))
	if m.Time = plausible(time.Parse(time.RFC3339Nano, first)); !m.Time.IsZero() {
		return
	}
	for _, form := range []string{"2006-01-02 15:04:05", "2006/01/02 15:04:05", "2006-01-02T15:04:05", "2006.01.02 15:04:05"} {
		if len(text) >= len(form) {
			if m.Local = local(form, text[:len(form)]); !m.Local.IsZero() {
				return
			}
		}
	}
}

// objectSaid is saidLogin of an object, which may say it in any of the fields
// that hold a text, and tell the client under names that mean a client only
// where somebody logs in.
func objectSaid(m *Message, fields map[string]any) {
	if m.Class != "" {
		return
	}
	text := m.Text
	for _, name := range []string{"error", "err", "reason", "event", "event.action", "action", "message", "detail", "details", "description"} {
		if s := textAt(fields, name); s != "" && s != text && len(s) <= maxSaid {
			text += "; " + strings.ReplaceAll(s, "_", " ")
		}
	}
	before := *m
	if m.Address == "" {
		m.Address = firstAddress(fields, "ip", "ip_addr", "ip_address", "ipAddress", "request_ip", "addr.remote", "origin.address", "request.remote_address", "remoteIp", "remoteIP",
			"user_ip", "userIp", "sourceIp", "sourceIPAddress", "IPAddress", "Ip", "IP", "addr", "account.ip", "context.ip")
	}
	if m.User == "" {
		m.User = wordAt(fields, "email", "login", "identifier", "account", "context.username", "user_login", "principal")
	}
	if m.User == "" {
		m.User = vaultUser(textAt(fields, "request.path"))
	}
	if !saidLogin(m, head(text, maxSaid)) {
		*m = before
	} else if m.Fields != nil {
		// The object's own fields stay what they are.
		m.Fields = withSaid(fields, m.Fields)
	}
}

// vaultUser is whom a path of Vault's or OpenBao's API logs in:
// auth/MOUNT/login/NAME.
func vaultUser(path string) string {
	rest, ok := strings.CutPrefix(path, "auth/")
	if _, name, login := strings.Cut(rest, "/login/"); ok && login && !strings.Contains(name, "/") {
		return name
	}
	return ""
}

// withSaid is an object's fields and what was read out of its text.
func withSaid(fields, said map[string]any) map[string]any {
	all := maps.Clone(fields)
	for name, v := range said {
		if _, has := all[name]; !has {
			all[name] = v
		}
	}
	return all
}
