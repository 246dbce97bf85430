package function

import (
	"math"
	"regexp"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:  conf.Func{Name: "quantity", Signature: new(func(any) any), Fn: quantity},
		Usage: "quantity(value) number or nil",
		Doc: "The number that a quantity of Kubernetes is, of cores or of bytes: \"500m\" is 0.5, \"1Gi\" is 1073741824, \"2k\" is 2000. " +
			"A number is itself; nil when it is no quantity.",
		Example: `quantity("500m") == 0.5 and quantity("1Gi") == 1073741824 and quantity("lots") == nil`,
	})
}

// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
var quantityText = regexp.MustCompile(`^([+-]?(?:[0-9]{1,20}[.]?[0-9]{0,20}|[.][0-9]{1,20}))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]{1,2})?$`)

var quantityUnits = map[string]float64{
	"": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
}

func quantity(args ...any) (any, error) {
	switch v := args[0].(type) {
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if n, ok := readQuantity(v); ok {
			return n, nil
		}
	}
	return nil, nil
}

func readQuantity(s string) (float64, bool) {
	if len(s) > 64 {
		return 0, false
	}
	m := quantityText.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	unit, known := quantityUnits[m[2]]
	if !known { // an exponent
		m[1], unit = m[1]+m[2], 1
	}
	n, err := strconv.ParseFloat(m[1], 64)
	n *= unit
	return n, err == nil && !math.IsInf(n, 0)
}
