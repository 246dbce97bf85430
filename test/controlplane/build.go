package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Build returns the path of the cluster binary. If the user's cache doesn't hold it, Build compiles
// it, which takes minutes, and says so on log; of several that want it at once, one compiles.
func Build(ctx context.Context, log io.Writer) (string, error) {
	dir, err := source()
	if err != nil {
		return "", fmt.Errorf("build cluster: %w", err)
	}
	hash, err := fingerprint(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("build cluster: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build cluster: %w", err)
	}
	path := filepath.Join(cache, "firebreak", "cluster", hash, "cluster")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("build cluster: %w", err)
	}
	unlock, err := lock(ctx, path+".lock", log)
	if err != nil {
		return "", fmt.Errorf("build cluster: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil // another process built it while this one waited
	}
	if err := compile(ctx, dir, path, log); err != nil {
		return "", fmt.Errorf("build cluster: %w", err)
	}
	return path, nil
}

// compile builds to another name first, so that nobody ever runs half a binary.
func compile(ctx context.Context, dir, path string, log io.Writer) error {
	version, err := goCommand(ctx, dir, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "building etcd, Kubernetes %s and kwok from source, once: 6 to 8 minutes on two cores\n", version)
	stop := report(log, "still building")
	defer stop()
	// Without these, clients and the audit log read v0.0.0.
	flags := []string{"-s", "-w",
		"-X", "k8s.io/component-base/version.gitVersion=" + string(version),
		"-X", "k8s.io/client-go/pkg/version.gitVersion=" + string(version),
		"-X", "k8s.io/client-go/pkg/version.gitCommit=unknown"}
	part := path + ".part"
	if _, err := goCommand(ctx, dir, "build", "-buildvcs=false", "-ldflags="+strings.Join(flags, " "), "-o", part, "."); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// report says every 30 s that the work goes on, until the returned function is called.
func report(log io.Writer, what string) (stop func()) {
	start, done, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintf(log, "%s, %s so far\n", what, time.Since(start).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-ended }
}
