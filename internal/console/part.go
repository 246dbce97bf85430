package console

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Somebody whose rights are in some namespaces alone sees of an incident that
// is about others too what a cluster would show them: its state, how grave it
// is, and what of it is of their namespaces. Of the rest they are told how much
// there is, and neither names nor texts: those that the incident is described
// by may be of any of its namespaces. Nothing can be said to an incident that is
// seen in part.

// partView is how much of an incident somebody may not see.
type partView struct{ Subjects, Findings, Runs, Moments int }

// maxLooked bounds how many findings of an incident are read to know whose they
// are; the others count as not seen.
const maxLooked = 20

// any says whether the person may in the whole cluster, or in one of the
// namespaces.
func (s *sight) any(ctx context.Context, verb, resource string, namespaces []string) (bool, error) {
	if ok, err := s.may(ctx, verb, resource, ""); ok || err != nil {
		return ok, err
	}
	for _, n := range namespaces {
		if n == "" {
			continue
		}
		if ok, err := s.may(ctx, verb, resource, n); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// partOf is the row of an incident as the person may see it; false is not at all.
func (s *sight) partOf(ctx context.Context, e entry) (entry, bool, error) {
	whole, err := s.in(ctx, "list", "incidents", e.namespaces)
	if err != nil || whole {
		return e, whole, err
	}
	refs, err := s.theirs(ctx, e.refs)
	if err != nil || len(refs) == 0 {
		return e, false, err
	}
	e.subject, e.refs, e.namespaces = refs[0].String(), refs, spaces(refs)
	e.rules, e.runs, e.part, e.count = nil, nil, true, 0
	return e, true, nil
}

// theirs are those of objects that are in namespaces in which the person may
// list incidents.
func (s *sight) theirs(ctx context.Context, refs []event.Ref) (out []event.Ref, err error) {
	for _, r := range refs {
		ok, err := s.any(ctx, "list", "incidents", []string{r.Space()})
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// partly takes out of an incident what the person may not see. A nil part says
// that they see the whole of it; an error that it is nothing of theirs.
func (v *visit) partly(in event.Incident) (event.Incident, *partView, error) {
	ctx := v.r.Context()
	whole, err := v.sight.in(ctx, "list", "incidents", places(in))
	if err != nil || whole {
		return in, nil, err
	}
	all := subjects(in)
	refs, err := v.sight.theirs(ctx, all)
	if err != nil {
		return in, nil, err
	}
	if len(refs) == 0 {
		return in, nil, v.needs("list", "incidents", places(in)...)
	}
	p := &partView{Subjects: len(all) - len(refs)}
	out := event.Incident{
		ID: in.ID, State: in.State, Risk: in.Risk, Confidence: in.Confidence, Priority: in.Priority, Severity: in.Severity, Subject: refs[0], Subjects: refs,
		Verdict: in.Verdict, VerdictBy: in.VerdictBy, AcknowledgedBy: in.AcknowledgedBy, Acknowledged: in.Acknowledged, Created: in.Created, Updated: in.Updated, Closed: in.Closed,
	}
	if err := v.findingsOf(in, &out); err != nil {
		return in, nil, err
	}
	for _, link := range in.Runs {
		r, err := v.console.House.Run(ctx, link.ID)
		ok, err := v.mine(err, "get", "runs", r.Target)
		if err != nil {
			return in, nil, err
		}
		if ok {
			out.Runs = append(out.Runs, link)
		}
	}
	for _, m := range in.Timeline {
		ours := m.What == event.MomentFinding && slices.Contains(out.Findings, m.ID) ||
			m.What == event.MomentRun && slices.ContainsFunc(out.Runs, func(r event.IncidentRun) bool { return r.ID == m.ID })
		if ours {
			out.Timeline = append(out.Timeline, m)
		}
	}
	p.Findings, p.Runs, p.Moments = max(in.Count-out.Count, 0), len(in.Runs)-len(out.Runs), len(in.Timeline)-len(out.Timeline)+in.Forgotten
	return out, p, nil
}

// findingsOf puts those of an incident's findings into out that are the person's.
func (v *visit) findingsOf(in event.Incident, out *event.Incident) error {
	for i, id := range in.Findings {
		if i == maxLooked {
			return nil
		}
		f, _, err := v.console.House.Finding(v.r.Context(), id)
		ok, err := v.mine(err, "get", "findings", f.Subject)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		out.Findings, out.Count = append(out.Findings, id), out.Count+1
		if rule := f.Rule + f.Model; !slices.Contains(out.Rules, rule) {
			out.Rules = append(out.Rules, rule)
		}
	}
	return nil
}

// mine says whether the person may see what was read of an object. What is not
// there any more is nobody's.
func (v *visit) mine(err error, verb, resource string, of event.Ref) (bool, error) {
	var gone Problem
	if errors.As(err, &gone) && gone.Status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return v.sight.in(v.r.Context(), verb, resource, []string{of.Space()})
}

// subjects are the objects that an incident is about, each once.
func subjects(in event.Incident) (out []event.Ref) {
	seen := map[string]bool{"": true}
	for _, r := range append([]event.Ref{in.Subject}, in.Subjects...) {
		if text := r.String(); !seen[text] {
			seen[text] = true
			out = append(out, r)
		}
	}
	return out
}

// places are the namespaces of what an incident is about; "" is what stands in
// none.
func places(in event.Incident) []string { return spaces(subjects(in)) }

func spaces(refs []event.Ref) (out []string) {
	for _, r := range refs {
		if !slices.Contains(out, r.Space()) {
			out = append(out, r.Space())
		}
	}
	return out
}
