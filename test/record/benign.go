package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// chore is what somebody does again and again; n counts from 1.
type chore struct {
	every time.Duration
	do    func(ctx context.Context, s *Stage, n int) error
}

// work does all chores until the context ends.
func (s *Stage) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range chores() {
		g.Go(func() error {
			// Not all at once.
			if pause(ctx, time.Duration(i)*150*time.Millisecond) != nil {
				return nil
			}
			for n := 1; ; n++ {
				if err := c.do(ctx, s, n); err != nil && ctx.Err() == nil {
					return fmt.Errorf("chore %d: %w", i, err)
				}
				if pause(ctx, c.every) != nil {
					return nil
				}
			}
		})
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// by makes a chore of calls.
func by(who Who, every time.Duration, lines func(n int) []string) chore {
	return chore{every, func(ctx context.Context, s *Stage, n int) error { return s.calls(ctx, who, lines(n)...) }}
}

func same(lines ...string) func(int) []string { return func(int) []string { return lines } }

func split(path string) (string, string) {
	space, name, _ := strings.Cut(path, "/")
	return space, name
}

func chores() []chore {
	return append(append(append(append([]chore{
		by(nobody, 5*time.Second, same("GET /livez", "GET /readyz", "GET /version")),
		by(prometheus, 5*time.Second, same("GET /api/v1/pods?resourceVersion=0", "GET /api/v1/nodes", "GET /api/v1/services", "GET /metrics", "GET /apis/discovery.k8s.io/v1/endpointslices?limit=500")),
		by(prometheus, time.Second, same("GET /api/v1/pods?watch=1&timeoutSeconds=20", "GET /api/v1/nodes?watch=1&timeoutSeconds=10")),
		by(cart, 4*time.Second, same("GET /api/v1/namespaces/shop/configmaps/settings")),
	}, people()...), machines()...), operators()...), nodes()...)
}

// people work with kubectl.
func people() []chore {
	return []chore{
		by(ann, 3*time.Second, same("GET /api/v1/namespaces/shop/pods?limit=500", "GET /apis/apps/v1/namespaces/shop/deployments/web", "GET /api/v1/namespaces/shop/events?limit=500")),
		by(ann, 15*time.Second, func(n int) []string {
			return []string{"GET /apis/apps/v1/namespaces/shop/deployments/mail", fmt.Sprintf(`PATCH /apis/apps/v1/namespaces/shop/deployments/mail?fieldManager=kubectl {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"mail"},"spec":{"template":{"metadata":{"annotations":{"note":"%d"}}}}}`, n)}
		}),
		by(ann, 40*time.Second, func(int) []string {
			return []string{"GET /apis/apps/v1/namespaces/shop/deployments/web", fmt.Sprintf(`PATCH /apis/apps/v1/namespaces/shop/deployments/web {"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().Format(time.RFC3339))}
		}),
		by(ann, 30*time.Second, same(
			"GET /api", "GET /apis", "GET /apis/apps/v1", "GET /openapi/v3",
			`POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews {"spec":{"namespace":"shop"}}`)),
		by(ben, 20*time.Second, func(n int) []string {
			return []string{fmt.Sprintf(`PATCH /apis/apps/v1/namespaces/till/deployments/till/scale {"spec":{"replicas":%d}}`, 2+n%3)}
		}),
		by(ben, 25*time.Second, same("403 GET /api/v1/namespaces/kube-system/pods", "403 GET /api/v1/nodes", "404 GET /api/v1/namespaces/shop/pods/gone")),
		by(ben, 50*time.Second, same(`POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {"spec":{"resourceAttributes":{"namespace":"shop","verb":"create","resource":"pods"}}}`)),
		by(ben, 35*time.Second, same("GET /api/v1/namespaces/till/pods?limit=500&watch=1&timeoutSeconds=5")),
		{45 * time.Second, deletePod},
		{70 * time.Second, debug},
		by(pat, 30*time.Second, same("GET /api/v1/nodes?limit=500", "GET /api/v1/namespaces?limit=500", "GET /apis/apps/v1/deployments?limit=500", "GET /api/v1/pods?limit=500", "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500")),
	}
}

// deletePod takes one pod away, which comes again.
func deletePod(ctx context.Context, s *Stage, _ int) error {
	pods, err := s.pods(ctx, ben, "till", "app%3Dtill")
	if err != nil || len(pods) == 0 {
		return err
	}
	return s.calls(ctx, ben, "0 DELETE /api/v1/namespaces/till/pods/"+pods[0])
}

// debug looks into a pod.
func debug(ctx context.Context, s *Stage, _ int) error {
	pods, err := s.pods(ctx, ann, "shop", "app%3Dweb")
	if err != nil || len(pods) == 0 {
		return err
	}
	if err := s.calls(ctx, ann, "0 GET /api/v1/namespaces/shop/pods/"+pods[0]+"/log?tailLines=20"); err != nil {
		return err
	}
	_ = s.exec(ctx, ann, "shop", pods[0], "echo", "hello") // the pod may be gone by now
	return nil
}
