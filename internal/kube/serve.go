package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Serves says whether the cluster has a resource in this group and version. Who
// may talk to the API server at all may ask that. An API server that can't say it
// just now is an error, never a no: who takes it for one makes do with less. Where
// others brought the group, that is [ErrBusy] for 10 s at the most, and then an
// error of which [Unread] says so: nobody is to wait for good on what others broke.
func (c *Client) Serves(ctx context.Context, group, version, resource string) (bool, error) {
	names, err := c.served(ctx, group, version)
	return slices.Contains(names, resource), err
}

// Versions are those in which the cluster serves a group, the one that it prefers
// first; none if it has no such group.
func (c *Client) Versions(ctx context.Context, group string) ([]string, error) {
	var found metav1.APIGroup
	err := c.typed.Discovery().RESTClient().Get().AbsPath("/apis/" + group).Do(ctx).Into(&found)
	if err = (request{"discover", group, "groups", "", group}).fail(err); errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	versions := make([]string, 0, len(found.Versions))
	for _, v := range found.Versions {
		versions = append(versions, v.Version)
	}
	return versions, nil
}

// served are the names of the resources of a group and version; none if there is
// no such version.
func (c *Client) served(ctx context.Context, group, version string) ([]string, error) {
	path := "/apis/" + group + "/" + version
	if group == "" {
		path = "/api/" + version
	}
	var list metav1.APIResourceList
	asked := request{"discover", group, version, "", group}
	ask := func(ctx context.Context) error {
		err := asked.fail(c.typed.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Into(&list))
		if errors.Is(err, ErrNotFound) && group != "" {
			return asked.fail(c.surelyAbsent(ctx, group, version))
		}
		return err
	}
	err := error(nil)
	if foreign(group) {
		err = c.silent.ask(ctx, group+"/"+version, toRead, ask)
	} else if err = ask(ctx); errors.Is(err, ErrNotFound) && group != "" {
		err = fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list.APIResources))
	for _, r := range list.APIResources {
		names = append(names, r.Name)
	}
	return names, nil
}

// surelyAbsent asks once more for a version that was not found. While an API
// server starts, and when a definition is new, it answers 404 for custom resources
// that it has: what its groups say is kept apart from that, and is there first. So
// it is for good with a definition whose names are taken by another.
func (c *Client) surelyAbsent(ctx context.Context, group, version string) error {
	versions, err := c.Versions(ctx, group)
	if err == nil && slices.Contains(versions, version) {
		err = fmt.Errorf("%w, although the API server lists %s/%s", ErrNotFound, group, version)
	}
	return err
}

// Serves is [Client.Serves], at most a few seconds old.
func (c *Cache) Serves(ctx context.Context, group, version, resource string) (bool, error) {
	names, err := c.kinds.get(ctx, group+"/"+version, func(ctx context.Context) ([]string, error) {
		return c.served(ctx, group, version)
	})
	return slices.Contains(names, resource), err
}

// Versions is [Client.Versions], at most a few seconds old.
func (c *Cache) Versions(ctx context.Context, group string) ([]string, error) {
	return c.kinds.get(ctx, group, func(ctx context.Context) ([]string, error) {
		return c.Client.Versions(ctx, group)
	})
}
