package kube

import (
	"context"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Serves says whether the cluster has a resource in this group and version. Who
// may talk to the API server at all may ask that.
func (c *Client) Serves(ctx context.Context, group, version, resource string) (bool, error) {
	names, err := c.served(ctx, group, version)
	return slices.Contains(names, resource), err
}

// served are the names of the resources of a group and version; none if there is
// no such version.
func (c *Client) served(ctx context.Context, group, version string) ([]string, error) {
	path := "/apis/" + group + "/" + version
	if group == "" {
		path = "/api/" + version
	}
	var list metav1.APIResourceList
	err := c.typed.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Into(&list)
	err = request{"discover", group, version, "", ""}.fail(err)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
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

// Serves is [Client.Serves], at most a few seconds old.
func (c *Cache) Serves(ctx context.Context, group, version, resource string) (bool, error) {
	names, err := c.kinds.get(ctx, group+"/"+version, func(ctx context.Context) ([]string, error) {
		return c.served(ctx, group, version)
	})
	return slices.Contains(names, resource), err
}
