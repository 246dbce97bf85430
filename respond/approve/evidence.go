package approve

import (
	"errors"
	"net/http"
	"strings"

	"github.com/firebreak-io/firebreak/respond/evidence"
)

// evidence answers what a capture kept, to the byte. It needs the right to get
// evidence in the namespace of the run's target. That it was read, and by whom,
// is in the log. An answer that ends early is not what was kept.
func (a *API) evidence(c call) error {
	name := c.r.PathValue("name")
	run, _, _ := strings.Cut(name, "/")
	rec, err := a.desk().Run(c.r.Context(), run)
	if err != nil {
		return err
	}
	if err := a.allowed(c, "get", "evidence", "", rec.Run.Target.Space()); err != nil {
		return err
	}
	none := problem{http.StatusNotFound, "there is no such evidence"}
	if a.Evidence == nil {
		return none
	}
	o, err := a.Evidence.Find(c.r.Context(), name)
	if errors.Is(err, evidence.ErrNone) {
		return none
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Disposition", "attachment")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.Header().Set(EvidenceHeader, o.SHA256)
	if _, err := a.Evidence.Read(c.r.Context(), c.user.Name, name, c.w); err != nil {
		a.Logger.ErrorContext(c.r.Context(), "read evidence", "object", name, "user", c.user.Name, "error", err)
		panic(http.ErrAbortHandler) // the client must not take half of it for the whole
	}
	return nil
}

// EvidenceHeader is the SHA-256 of what was kept, in hexadecimal.
const EvidenceHeader = "Firebreak-Sha256"
