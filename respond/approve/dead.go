package approve

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Bounds of a list of dead letters: one is up to 64 KiB and some words.
const (
	defaultDead = 100
	maxDead     = 1000
)

// dead lists the newest of what could not be processed, oldest first.
func (a *API) dead(c call) error {
	if err := a.allowed(c, "list", "deadletters", "", ""); err != nil {
		return err
	}
	limit := uint64(defaultDead)
	if text := c.r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 || n > maxDead {
			return problem{http.StatusBadRequest, fmt.Sprintf("limit is 1 to %d", maxDead)}
		}
		limit = n
	}
	list := []bus.DeadLetter{}
	for letter, err := range a.Bus.DeadLetters(c.r.Context(), limit) {
		if err != nil {
			return err
		}
		list = append(list, letter)
	}
	answer(c.w, http.StatusOK, list)
	return nil
}
