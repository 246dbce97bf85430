package detect

import "github.com/firebreak-io/firebreak/detect/function"

// functions are what rules may call beside the built-in functions of
// expressions.
var functions = function.Funcs()
