package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// modulePath is what go.mod at the root of the repository says.
const modulePath = "module github.com/firebreak-io/firebreak"

// source is the directory of the nested module, below the root of the repository: FIREBREAK_ROOT,
// or the nearest folder upwards of the working directory that holds the module.
func source() (string, error) {
	root := os.Getenv("FIREBREAK_ROOT")
	if root == "" {
		var err error
		if root, err = findRoot(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(root, "test", "cluster")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return "", fmt.Errorf("find test/cluster: %w", err)
	}
	return dir, nil
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find repository: %w", err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		first, _, _ := strings.Cut(string(data), "\n")
		if err == nil && strings.TrimSpace(first) == modulePath {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("find repository: no folder upwards of the working directory holds it; set FIREBREAK_ROOT")
		}
		dir = up
	}
}

// fingerprint is a short hash of all that the binary is made of: the sources, the versions of the
// modules, and the compiler and its target.
func fingerprint(ctx context.Context, dir string) (string, error) {
	compiler, err := goCommand(ctx, dir, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(compiler)
	for _, pattern := range []string{"go.mod", "go.sum", "*.go", "*.yaml"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", fmt.Errorf("list sources: %w", err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			if err := addFile(h, name); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// addFile writes the name and the length besides the content, so that two files can't pass for one.
func addFile(w io.Writer, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s %d\n%s", filepath.Base(path), len(data), data)
	return err
}

// goCommand runs the go command in dir and returns what it prints.
func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// The nested module stands alone: no workspace, no flags of the caller's, and no C compiler.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("run go %s: %w: %s", args[0], err, bytes.TrimSpace(errs.Bytes()))
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
