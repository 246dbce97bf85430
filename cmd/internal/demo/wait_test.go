package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	objection := errors.New("not yet")
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		err := until(t.Context(), "it", func(context.Context) error {
			if asked++; asked < 4 {
				return objection
			}
			return nil
		})
		if err != nil || asked != 4 || time.Since(began) != 3*glance {
			t.Errorf("%v after %d in %s", err, asked, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := until(t.Context(), "it", func(context.Context) error { return objection })
		if !errors.Is(err, objection) || !strings.Contains(err.Error(), fmt.Sprintf("it: not within %s: not yet", patience)) || time.Since(began) != patience {
			t.Errorf("%v in %s", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := until(t.Context(), "it", func(context.Context) error { return &final{objection} })
		if !errors.Is(err, objection) || time.Since(began) != 0 {
			t.Errorf("%v in %s", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := until(ctx, "it", func(context.Context) error { cancel(); return objection })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
