// Package crd installs custom resource definitions of other projects, as they
// publish them, into a control plane for tests. The manifests come out of the
// Go modules of those projects, which no go.mod of Firebreak requires.
package crd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const group = "apiextensions.k8s.io"

// Install makes definitions (plural.group, see [Names]) and waits until the API
// server serves each. One that is there already stays as it is. The client must
// be an administrator's. It may be called concurrently.
//
// Definitions are the cluster's, not a namespace's: what looks at which kinds
// the cluster has sees them in every test on the same control plane from then
// on. [Remove] takes them away.
func Install(ctx context.Context, c *kube.Client, names ...string) error {
	for _, name := range names {
		text, err := Manifest(ctx, name)
		if err != nil {
			return err
		}
		if err := c.Create(ctx, text); err != nil && !errors.Is(err, kube.ErrExists) {
			return fmt.Errorf("install %s: %w", name, err)
		}
	}
	for _, name := range names {
		if err := await(ctx, "serve "+name, func() error { return served(ctx, c, name) }); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes definitions away, with every object of their kinds, and waits
// until the API server has forgotten them.
func Remove(ctx context.Context, c *kube.Client, names ...string) error {
	for _, name := range names {
		err := await(ctx, "remove "+name, func() error {
			found, err := definition(ctx, c, name)
			if errors.Is(err, kube.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			if found.GetDeletionTimestamp() != nil {
				return errors.New("is on its way out")
			}
			_, _, err = c.Apply(ctx, event.Write{
				Verb: "delete", Group: group, Version: "v1", Resource: "customresourcedefinitions", Name: name,
				UID: string(found.GetUID()), ResourceVersion: found.GetResourceVersion(),
			}, kube.ApplyOptions{})
			if err == nil {
				err = errors.New("was just deleted")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func definition(ctx context.Context, c *kube.Client, name string) (*unstructured.Unstructured, error) {
	return c.Get(ctx, group, "v1", "customresourcedefinitions", "", name)
}

// served says why the API server does not answer for the kind yet.
func served(ctx context.Context, c *kube.Client, name string) error {
	found, err := definition(ctx, c, name)
	if err != nil {
		return err
	}
	conditions, _, _ := unstructured.NestedSlice(found.Object, "status", "conditions")
	var said []string
	for _, condition := range conditions {
		one, _ := condition.(map[string]any)
		said = append(said, fmt.Sprint(one["type"], "=", one["status"], " ", one["message"]))
		if one["type"] == "Established" && one["status"] == "True" {
			return answers(ctx, c, found, name)
		}
	}
	return fmt.Errorf("is not established: %s", strings.Join(said, "; "))
}

// answers says why a version that is to be served isn't.
func answers(ctx context.Context, c *kube.Client, found *unstructured.Unstructured, name string) error {
	versions, _, _ := unstructured.NestedSlice(found.Object, "spec", "versions")
	plural, group, _ := strings.Cut(name, ".")
	for _, version := range versions {
		one, _ := version.(map[string]any)
		if one["served"] != true {
			continue
		}
		if _, err := c.List(ctx, group, fmt.Sprint(one["name"]), plural, "", ""); err != nil {
			return err
		}
	}
	return nil
}

// await asks ten times a second until there is no error, for a minute.
func await(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-tick.C:
		}
	}
}
