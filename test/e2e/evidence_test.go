package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/evidence"
	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/test/bucket"
)

// place is an object store, and the way in which somebody changes what is in it.
type place struct {
	evidence.Blobs
	tamper func(name string)
}

// places are the three kinds of object store.
func places(t *testing.T) map[string]place {
	t.Helper()
	dir := t.TempDir()
	store, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	objects, err := store.Objects(t.Context(), "EVIDENCE", 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	s3 := bucket.Start(t)
	remote, err := evidence.NewBucket(evidence.BucketConfig{
		URL: s3.URL, Bucket: bucket.Name, Region: "eu-test-1", AccessKey: bucket.Key, SecretKey: bucket.Secret, Transport: s3.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]place{
		"directory": {evidence.Directory(dir), func(name string) {
			path := filepath.Join(dir, filepath.FromSlash(name))
			data, err := os.ReadFile(path)
			if err == nil {
				data[len(data)/2]++
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}},
		// Its objects are in chunks that the server checks; nothing changes one in place.
		"jetstream": {evidence.Stream{Objects: objects}, nil},
		"s3":        {remote, s3.Tamper},
	}
}

// TestEvidenceProved: what a step captures of a pod of the real control plane is
// in each kind of object store as the run's record says, and what somebody makes
// of it there is found out.
func TestEvidenceProved(t *testing.T) {
	t.Parallel()
	plane(t)
	kind, _ := action.Lookup("pod.logs")
	for name, at := range places(t) {
		t.Run(name, func(t *testing.T) {
			x := fixtures[kind.Name]
			x.deps = func(_ *trial, d *action.Deps) { d.Evidence = &evidence.Store{Blobs: at} }
			p := newPlay(t, kind, x, "")
			o := p.target()
			run := p.until(p.find(event.Ref{Resource: "pods", Namespace: o.GetNamespace(), Name: o.GetName()}, event.Actor{}), event.RunClosed)
			records, err := p.log.Receipt(t.Context(), run.ID)
			p.no(err, "read record")
			var text bytes.Buffer
			p.no(receipt.Write(&text, run.ID, records), "write receipt")
			proof, err := receipt.Verify(&text, "")
			p.no(err, "verify receipt")
			if len(proof.Evidence) == 0 || proof.Evidence[0].Where != at.Where() {
				t.Fatalf("kept is %+v", proof.Evidence)
			}
			read := func(ctx context.Context, e receipt.Evidence, w io.Writer) error {
				r, err := at.Get(ctx, e.Object)
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = io.Copy(w, r)
				return err
			}
			p.no(receipt.CheckEvidence(t.Context(), proof, read), "hold the evidence against the record")
			forged := proof
			forged.Evidence = append([]receipt.Evidence(nil), proof.Evidence...)
			forged.Evidence[0].Size++
			if err := receipt.CheckEvidence(t.Context(), forged, read); !errors.Is(err, receipt.ErrDisproved) {
				t.Errorf("a record of another size: %v", err)
			}
			if at.tamper == nil {
				return
			}
			at.tamper(proof.Evidence[0].Object)
			if err := receipt.CheckEvidence(t.Context(), proof, read); !errors.Is(err, receipt.ErrDisproved) {
				t.Errorf("somebody changed the object: %v", err)
			}
		})
	}
}
