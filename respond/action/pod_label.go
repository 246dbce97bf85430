package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const podLabel = "pod.label"

func init() {
	register(Kind{
		Name: podLabel,
		Doc: "Sets labels on a pod, for a policy, a Service or a scanner that selects them. " +
			"The end of the hold puts back what was there, where the value is still Firebreak's.",
		Class:      Effect,
		Reversible: true,
		Targets:    []string{"pods"},
		Config:     func() any { return new(LabelConfig) },
		Example:    func() any { return &LabelConfig{Labels: map[string]string{"suspect": "yes"}} },
		Check:      func(config any) error { return checked(podLabel, config, LabelConfig.check) },
		Needs:      []Permission{{Resource: "pods", Verbs: []string{"get", "list", "patch"}}},
		Admits:     []Admit{{Resource: "pods", Operation: "UPDATE", Expression: admitLabels}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[LabelConfig](podLabel, config)
			if err != nil {
				return nil, err
			}
			return label{d, maps.Clone(c.Labels)}, c.check()
		},
	})
}

// LabelConfig are the parameters of pod.label.
type LabelConfig struct {
	// Labels are the keys and values to set. Keys of Firebreak's own prefix
	// are refused.
	Labels map[string]string `yaml:"labels" json:"labels"`
}

func (c LabelConfig) check() error {
	if len(c.Labels) == 0 {
		return fmt.Errorf("%s: no labels", podLabel)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		if err := checkLabel(k, c.Labels[k]); err != nil {
			return fmt.Errorf("%s: %w", podLabel, err)
		}
		if strings.HasPrefix(k, event.AnnotationPrefix) {
			return fmt.Errorf("%s: label %s: the prefix is Firebreak's own", podLabel, k)
		}
	}
	return nil
}

// PolicyKeys are the labels.
func (c LabelConfig) PolicyKeys() (labels, annotations []string) {
	return slices.Sorted(maps.Keys(c.Labels)), nil
}

// labelRecord is the annotation of a pod with labels of ours, by label key.
type labelRecord map[string]labelHold

type labelHold struct {
	// Before is the value that was there; nil is none.
	Before *string `json:"before"`
	Value  string  `json:"value"`
	Runs   Holders `json:"runs"`
}

type label struct {
	Deps
	labels map[string]string
}

func parseLabels(annotations map[string]string) (labelRecord, error) {
	text, ok := annotations[LabelKey]
	rec := labelRecord{}
	if !ok {
		return rec, nil
	}
	if err := json.Unmarshal([]byte(text), &rec); err != nil {
		return labelRecord{}, fmt.Errorf("decode annotation %s: %w", LabelKey, err)
	}
	return rec, nil
}

// Plan lists one patch, with the labels that are not yet as wanted and those
// that this or another run holds.
func (l label) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, err := readPod(ctx, l.Deps, r.Target)
	if err != nil {
		return event.Plan{}, err
	}
	rec, err := parseLabels(pod.Annotations)
	p := event.Plan{Action: podLabel, Target: r.Target, Reversible: true}
	if err != nil {
		p.Notes = append(p.Notes, "the pod's label record can't be read and is replaced")
	}
	set, before := object{}, map[string]*string{}
	for _, k := range slices.Sorted(maps.Keys(l.labels)) {
		hold, held := rec[k]
		now, present := pod.Labels[k]
		switch {
		case held && hold.Value != l.labels[k]:
			return p, refuse(r.Target, "label %s is held at %q by %s", k, hold.Value, strings.Join(hold.Runs.others(""), ", "))
		case !held && present && now == l.labels[k]:
			p.Notes = append(p.Notes, fmt.Sprintf("label %s is %q already and stays so", k, now))
			continue
		case !held || !present || now != hold.Value:
			hold.Value, hold.Before = l.labels[k], nil
			if present {
				hold.Before = &now
			}
		}
		hold.Runs = hold.Runs.with(r.Key, Holder{Until: r.Until})
		rec[k], set[k], before[k] = hold, hold.Value, hold.Before
	}
	p.Notes = offlineNotes(l.Deps, p.Notes)
	if len(set) == 0 {
		p.Summary = fmt.Sprintf("label %s: nothing to do", r.Target)
		return p, nil
	}
	p.Summary = fmt.Sprintf("label %s: set %s", r.Target, strings.Join(slices.Sorted(maps.Keys(set)), ", "))
	set[HeldKey] = HeldYes
	w, err := podPatch(pod, set, LabelKey, rec)
	if err != nil {
		return p, err
	}
	p.Writes = []event.Write{w}
	p.Before, err = encode(object{"labels": before})
	return p, err
}

// Do sends the patch and reads it back.
func (l label) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	landed := func() (bool, error) {
		pod, err := readPod(ctx, l.Deps, r.Target)
		if err != nil {
			return false, err
		}
		rec, err := parseLabels(pod.Annotations)
		return err == nil && rec.holdBy(r.Key), nil
	}
	return patchTarget(ctx, l.Deps, podLabel, "pods", r, p, landed)
}

// Verify looks whether the labels are as they were set.
func (l label) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	pod, err := readPod(ctx, l.Deps, r.Target)
	if err != nil {
		return done, err
	}
	rec, err := parseLabels(pod.Annotations)
	if err != nil {
		return done, err
	}
	if !rec.holdBy(r.Key) {
		return changed(done, event.ResultVoid, "the hold was taken off right after it was set"), nil
	}
	for _, k := range slices.Sorted(maps.Keys(rec)) {
		if _, mine := rec[k].Runs[r.Key]; mine && pod.Labels[k] != rec[k].Value {
			done = changed(done, event.ResultPartial, fmt.Sprintf("label %s is %q: somebody changed it right after", k, pod.Labels[k]))
		}
	}
	return done, nil
}

func (rec labelRecord) holdBy(key string) bool {
	for _, hold := range rec {
		if _, ok := hold.Runs[key]; ok {
			return true
		}
	}
	return false
}

// Undo restores each label that nobody else holds and whose value is still
// the one that was set.
func (l label) Undo(ctx context.Context, r Request, done event.Receipt, _ event.AtEnd) (event.Receipt, error) {
	for range attempts {
		pod, err := readPod(ctx, l.Deps, r.Target)
		if errors.Is(err, ErrGone) {
			return receipt(r, event.ResultGone), nil
		}
		if err != nil {
			return event.Receipt{}, err
		}
		rec, err := parseLabels(pod.Annotations)
		if err != nil {
			return event.Receipt{}, err
		}
		if !rec.holdBy(r.Key) {
			err := fence(ctx, l.Cluster, r.Key, done, patchOf("pods", &pod.ObjectMeta))
			if lost(err) {
				continue
			}
			return receipt(r, event.ResultUndone), err
		}
		set, notes, foreign := rec.leave(r.Key, pod.Labels)
		if len(foreign) > 0 && !r.Over {
			return event.Receipt{}, differs(r.Target, foreign)
		}
		var record any
		if len(rec) > 0 {
			record = rec
		} else if !heldOtherwise(pod.Annotations, LabelKey) {
			set[HeldKey] = nil
		}
		w, err := podPatch(pod, set, LabelKey, record)
		if err != nil {
			return event.Receipt{}, err
		}
		_, _, err = l.Cluster.Apply(ctx, w, kube.ApplyOptions{})
		if lost(err) {
			continue
		}
		return receipt(r, event.ResultUndone, notes...), err
	}
	return event.Receipt{}, conflict(r.Target)
}

// leave takes key out of the record and gives the labels to put back, and what
// somebody else changed of them since, which stays.
func (rec labelRecord) leave(key string, now map[string]string) (set object, notes, foreign []string) {
	set = object{}
	for _, k := range slices.Sorted(maps.Keys(rec)) {
		hold := rec[k]
		if _, mine := hold.Runs[key]; !mine {
			continue
		}
		if others := hold.Runs.others(key); len(others) > 0 {
			hold.Runs = hold.Runs.without(key)
			rec[k] = hold
			notes = append(notes, fmt.Sprintf("label %s is still held by %s", k, strings.Join(others, ", ")))
			continue
		}
		delete(rec, k)
		switch v, present := now[k]; {
		case !present && hold.Before == nil:
			notes = append(notes, fmt.Sprintf("label %s was taken off meanwhile", k))
		case !present:
			foreign = append(foreign, fmt.Sprintf("label %s was taken off meanwhile; before the hold it was %q", k, *hold.Before))
		case v != hold.Value:
			foreign = append(foreign, fmt.Sprintf("label %s was set to %q meanwhile and is left; the hold set %q", k, v, hold.Value))
		case hold.Before == nil:
			set[k] = nil
		default:
			set[k] = *hold.Before
		}
	}
	return set, append(notes, foreign...), foreign
}
