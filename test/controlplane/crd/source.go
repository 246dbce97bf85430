package crd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// module is a Go module in one version, with its content's hash as go.sum would
// have it: what is downloaded is just what was looked at when it was chosen.
type module struct{ path, version, sum string }

var (
	networkPolicy = module{"sigs.k8s.io/network-policy-api", "v0.2.0", "h1:W/f0Y9VoeQdOWjX/h2gZyLH6gZ5LLEXmh/9wy9mQWKw="}
	// The last one with AdminNetworkPolicy, which became ClusterNetworkPolicy.
	adminPolicy  = module{"sigs.k8s.io/network-policy-api", "v0.1.1", "h1:KDW+AkvCCQI3h8yH8j0hurhvPLNtLeVvmZoqtMaG9ew="}
	istio        = module{"istio.io/api", "v1.31.1", "h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk="}
	gateway      = module{"sigs.k8s.io/gateway-api", "v1.6.3", "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc="}
	envoyGateway = module{"github.com/envoyproxy/gateway", "v1.9.1", "h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY="}
	// The last ones whose modules the toolchain here reads.
	argo   = module{"github.com/argoproj/argo-cd/v3", "v3.2.0", "h1:m2eGAV+nXQGgzZbH5SyJD5laaPW27mzWXBrgisUHY/0="}
	flux   = module{"github.com/fluxcd/kustomize-controller", "v1.7.3", "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M="}
	helm   = module{"github.com/fluxcd/helm-controller", "v1.4.0", "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM="}
	cilium = module{"github.com/cilium/cilium", "v1.20.2", "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8="}
)

// manifest is the file of a module that holds a definition.
type manifest struct {
	module
	file string
}

// manifests, by the name of the definition.
var manifests = func() map[string]manifest {
	all := map[string]manifest{}
	add := func(m module, group, format string, plurals ...string) {
		for _, plural := range plurals {
			file := format
			if !strings.HasSuffix(format, ".yaml") {
				file = fmt.Sprintf("%s%s.yaml", format, plural)
			}
			all[plural+"."+group] = manifest{m, file}
		}
	}
	add(networkPolicy, "policy.networking.k8s.io", "config/crd/standard/policy.networking.k8s.io_", "clusternetworkpolicies")
	add(adminPolicy, "policy.networking.k8s.io", "config/crd/policy.networking.k8s.io_", "adminnetworkpolicies", "baselineadminnetworkpolicies")
	add(cilium, "cilium.io", "pkg/k8s/apis/cilium.io/client/crds/v2/", "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies",
		"ciliumcidrgroups", "ciliumenvoyconfigs", "ciliumclusterwideenvoyconfigs", "ciliumendpoints")
	add(istio, "networking.istio.io", "kubernetes/customresourcedefinitions.gen.yaml", "envoyfilters", "virtualservices", "destinationrules")
	add(istio, "security.istio.io", "kubernetes/customresourcedefinitions.gen.yaml", "authorizationpolicies", "requestauthentications", "peerauthentications")
	add(envoyGateway, "gateway.envoyproxy.io", "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_",
		"backendtrafficpolicies", "clienttrafficpolicies", "securitypolicies")
	add(gateway, "gateway.networking.k8s.io", "config/crd/standard/gateway.networking.k8s.io_", "gatewayclasses", "gateways", "httproutes", "grpcroutes")
	add(argo, "argoproj.io", "manifests/crds/application-crd.yaml", "applications")
	add(flux, "kustomize.toolkit.fluxcd.io", "config/crd/bases/kustomize.toolkit.fluxcd.io_", "kustomizations")
	add(helm, "helm.toolkit.fluxcd.io", "config/crd/bases/helm.toolkit.fluxcd.io_", "helmreleases")
	return all
}()

// Names are the definitions that can be installed, sorted.
func Names() []string {
	var names []string
	for name := range manifests {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Manifest is the definition of a name (plural.group) as its project publishes
// it. Its module is downloaded into Go's module cache once.
func Manifest(ctx context.Context, name string) ([]byte, error) {
	m, ok := manifests[name]
	if !ok {
		return nil, fmt.Errorf("definition %s: unknown, it is none of %q", name, Names())
	}
	dir, err := m.download(ctx)
	if err != nil {
		return nil, fmt.Errorf("definition %s: %w", name, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, fmt.Errorf("definition %s: %w", name, err)
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("definition %s: not in %s of %s", name, m.file, m.path)
		}
		if err != nil {
			return nil, fmt.Errorf("definition %s: %w", name, err)
		}
		var head struct {
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal(document, &head); err == nil && head.Metadata.Name == name {
			return document, nil
		}
	}
}

// download gives the directory of the module in the cache, and an error when
// its content is not what it was when it was chosen.
func (m module) download(ctx context.Context) (dir string, err error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", m.path+"@"+m.version)
	// Outside of any module: go.mod and go.sum of this one stay as they are.
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GO111MODULE=on")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var found struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &found); err == nil {
		err = jsonErr
	}
	if err != nil {
		return "", fmt.Errorf("download %s@%s: %w: %s%s", m.path, m.version, err, found.Error, bytes.TrimSpace(errs.Bytes()))
	}
	if found.Sum != m.sum {
		return "", fmt.Errorf("download %s@%s: its hash is %s, not %s", m.path, m.version, found.Sum, m.sum)
	}
	return found.Dir, nil
}
