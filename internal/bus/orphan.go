package bus

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Orphan is what a store of large objects holds of an object that nobody knows
// of: one that was stored and never told to anybody, or the chunks of one whose
// writer was killed in the middle.
type Orphan struct {
	// Name is the object's; empty is that there are chunks alone.
	Name string
	id   string
}

// Orphans lists what the store holds besides the objects that keep is true for.
// An object that is being stored just now is among them: whoever removes orphans
// sees to it first that its writer can't tell anybody of it any more.
func (o *Objects) Orphans(ctx context.Context, keep func(name string) bool) ([]Orphan, error) {
	stream, err := o.stream(ctx)
	if err != nil {
		return nil, err
	}
	list, err := o.store.List(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, fmt.Errorf("list objects of %s: %w", o.name, err)
	}
	var orphans []Orphan
	known := map[string]bool{}
	for _, info := range list {
		if known[info.NUID] = true; !keep(info.Name) {
			orphans = append(orphans, Orphan{Name: info.Name, id: info.NUID})
		}
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(o.chunks(">")))
	if err != nil {
		return nil, fmt.Errorf("list chunks of %s: %w", o.name, err)
	}
	for subject := range info.State.Subjects {
		if id := subject[len(o.chunks("")):]; !known[id] {
			orphans = append(orphans, Orphan{id: id})
		}
	}
	return orphans, nil
}

// Remove removes orphans. Doing it again changes nothing.
func (o *Objects) Remove(ctx context.Context, orphans []Orphan) error {
	stream, err := o.stream(ctx)
	if err != nil {
		return err
	}
	for _, one := range orphans {
		// What is left of one that is removed in part has no name any more.
		if one.Name != "" {
			name := "$O." + o.name + ".M." + base64.URLEncoding.EncodeToString([]byte(one.Name))
			if err := stream.Purge(ctx, jetstream.WithPurgeSubject(name)); err != nil {
				return fmt.Errorf("remove object %s: %w", one.Name, err)
			}
		}
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(o.chunks(one.id))); err != nil {
			return fmt.Errorf("remove chunks of %s: %w", o.name, err)
		}
	}
	return nil
}

func (o *Objects) chunks(id string) string { return "$O." + o.name + ".C." + id }

func (o *Objects) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := o.js.Stream(ctx, "OBJ_"+o.name)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", o.name, err)
	}
	return s, nil
}
