package conf

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Kind is what an expression has to give.
type Kind int

// The kinds. Any takes what comes: text, bool, int64, float64, a time, a list,
// a mapping or nil.
const (
	Bool Kind = iota
	String
	Any
)

// Func is a function that expressions may call beside the built-in ones.
// It has to be pure, total and fast, and its result no larger than its
// arguments.
type Func struct {
	Name string
	Fn   func(args ...any) (any, error)
	// Signature is a func of the argument and result types, as in
	// new(func(any) []any).
	Signature any
	// Prepare, if there is one, is asked at compile time about each argument
	// that is a constant: text, an int, a float64, a bool, or a []any of them. Fn
	// is given what it returns in the argument's place. An error is a problem of
	// the expression, at the argument.
	Prepare func(i int, constant any) (any, error)
	// Constant, if there is one, says of which arguments only constants may be
	// given.
	Constant func(i int) bool
}

// Bounds of an expression and of what it makes.
const (
	MaxExpressionBytes = 8 << 10
	maxNodes           = 1000
	memoryBudget       = 100_000 // elements of lists that one evaluation makes
	maxText            = 64 << 10
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	program *vm.Program
	text    string
}

// machines keeps the stacks of evaluations that ended.
var machines = sync.Pool{New: func() any { return &vm.VM{MemoryBudget: memoryBudget} }}

// Source is the text that was compiled.
func (p *Program) Source() string { return p.text }

// Gives is what the program evaluates to, as far as that is known before it runs:
// [reflect.Interface] is anything.
func (p *Program) Gives() reflect.Kind {
	if t := p.program.Node().Type(); t != nil {
		return t.Kind()
	}
	return reflect.Interface
}

// Any evaluates. env is the struct that it was compiled against, or, cheaper,
// a pointer to it; it is not changed. A panic is an error.
func (p *Program) Any(env any) (any, error) {
	out, err := p.run(env)
	if err != nil {
		return nil, err
	}
	return normal(out), nil
}

func (p *Program) run(env any) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("evaluate %q: %v", p.text, r)
		}
	}()
	machine := machines.Get().(*vm.VM)
	out, err = machine.Run(p.program, env)
	if err != nil {
		var f *file.Error
		if errors.As(err, &f) {
			err = errors.New(f.Message)
		}
		return nil, fmt.Errorf("evaluate %q: %w", p.text, err)
	}
	clear(machine.Variables)
	machines.Put(machine)
	return out, nil
}

// Bool evaluates to true or false; anything else is an error.
func (p *Program) Bool(env any) (bool, error) {
	out, err := p.run(env)
	if err != nil {
		return false, err
	}
	b, ok := out.(bool)
	if !ok && out != nil {
		return false, fmt.Errorf("evaluate %q: got %T, want true or false", p.text, out)
	}
	return b, nil
}

// Text evaluates to text of at most 64 KiB. Values of other types are written
// out; nil is empty.
func (p *Program) Text(env any) (string, error) {
	out, err := p.run(env)
	if err != nil {
		return "", err
	}
	return textOf(out), nil
}

// normal gives plain types for named ones, and int64 for integers.
func normal(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int64, []any, map[string]any:
		return v
	case int:
		return int64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32:
		return r.Int()
	}
	return v
}

// textOf writes a value for people, bounded in length and depth.
func textOf(v any) string {
	var b strings.Builder
	writeText(&b, v, 0)
	text := b.String()
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

func writeText(b *strings.Builder, v any, depth int) {
	if b.Len() > maxText || depth > 4 {
		return
	}
	switch v := v.(type) {
	case nil:
		return
	case string:
		b.WriteString(v)
		return
	case fmt.Stringer:
		b.WriteString(v.String())
		return
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'f', -1, 64))
		return
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range r.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			if b.Len() > maxText {
				return
			}
			writeText(b, r.Index(i).Interface(), depth+1)
		}
	case reflect.Map, reflect.Struct, reflect.Pointer, reflect.Func:
		fmt.Fprintf(b, "{%s}", r.Kind())
	default:
		fmt.Fprint(b, v)
	}
}

// compile checks and compiles text, which begins at offset base of whole, the
// text of a scalar in a file.
func compile(at origin, whole string, base int, text string, env any, kind Kind, funcs []Func) (*Program, error) {
	return compileWith(at, whole, base, text, env, kind, funcs)
}

// compileWith takes options of the compiler's own besides.
func compileWith(
	at origin, whole string, base int, text string, env any, kind Kind, funcs []Func, more ...expr.Option,
) (_ *Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = at.errorf(whole, base, "can't be compiled: %v", r)
		}
	}()
	fail := func(offset int, format string, args ...any) *Error {
		return at.errorf(whole, base+offset, format, args...)
	}
	if strings.TrimSpace(text) == "" {
		return nil, fail(0, "empty expression")
	}
	if len(text) > MaxExpressionBytes {
		return nil, fail(0, "expression has %d bytes, more than %d", len(text), MaxExpressionBytes)
	}
	if bad := inspect(text, reflect.TypeOf(env), at.part, funcs); bad != nil {
		return nil, commented(fail(byteOffset(text, bad.From), "%s", explain(bad.Message, env)))
	}
	shared := []expr.Option{expr.Patch(inliner{at.part.lib, funcs})}
	total := &total{}
	program, err := expr.Compile(text, slices.Concat(shared, more, options(env, kind, at.part.lib, funcs, total))...)
	if err == nil && total.bad != nil {
		err = total.bad
	}
	if err != nil {
		var f *file.Error
		if errors.As(err, &f) {
			return nil, fail(byteOffset(text, f.From), "%s", hidden.ReplaceAllString(explain(f.Message, env), "here"))
		}
		return nil, fail(0, "%s", explain(err.Error(), env))
	}
	return &Program{program, text}, nil
}

// byteOffset turns a count of characters into one of bytes.
func byteOffset(text string, runes int) int {
	at := 0
	for ; runes > 0 && at < len(text); runes-- {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return at
}
