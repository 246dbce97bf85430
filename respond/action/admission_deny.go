package action

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const admissionDeny = "admission.deny"

func init() {
	register(Kind{
		Name: admissionDeny,
		Doc: "Keeps pods out for a time, by a shipped admission policy: those with an image digest, of an image or a registry, of a service account, or privileged ones. " +
			"Pods that run stay. System namespaces are left out.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Holds:      []Resource{configMaps},
		Config:     func() any { return new(KeepOutConfig) },
		Example:    func() any { return &KeepOutConfig{Registry: "registry.example"} },
		Check:      func(config any) error { return checked(admissionDeny, config, KeepOutConfig.checkSome) },
		Needs:      needsLockout(kube.LockoutPods),
		Admits:     admitLockout(kube.LockoutPods),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[KeepOutConfig](admissionDeny, config)
			if err != nil {
				return nil, err
			}
			return lockout{d, admissionDeny, kube.LockoutPods, c.data}.make(), c.checkSome()
		},
	})
}

// KeepOutConfig are the parameters of admission.deny: one of what is kept out,
// and where. Where nothing is named it is the target: an image, by its digest if
// it has one, or a service account.
type KeepOutConfig struct {
	// Digest is sha256: and 64 hexadecimal digits.
	Digest string `yaml:"digest,filled" json:"digest,omitempty"`
	// Image is an image without tag and digest: nginx, registry.example/a/b.
	Image string `yaml:"image,filled" json:"image,omitempty"`
	// Registry is a host, with a port or for all of its ports.
	Registry string `yaml:"registry,filled" json:"registry,omitempty"`
	// ServiceAccount is NAMESPACE/NAME.
	ServiceAccount string `yaml:"service_account,filled" json:"service_account,omitempty"`
	// Privileged keeps out privileged containers, host namespaces and hostPath.
	Privileged bool `yaml:"privileged" json:"privileged,omitempty"`
	// Namespace is where; empty is everywhere.
	Namespace string `yaml:"namespace,filled" json:"namespace,omitempty"`
}

// checkSome is check for parameters that may leave it to the target what is kept
// out.
func (c KeepOutConfig) checkSome() error {
	if c.ofTarget() {
		return nil
	}
	return c.check()
}

// ofTarget says that nothing is named: the target is what is kept out.
func (c KeepOutConfig) ofTarget() bool {
	return c == KeepOutConfig{Namespace: c.Namespace} && len(c.Namespace) <= 63
}

// of are the parameters with what the target says: an image, by its digest if it
// has one, or a service account.
func (c KeepOutConfig) of(t event.Ref) (KeepOutConfig, error) {
	switch {
	case !c.ofTarget():
	case t.IsThing() && t.Resource == event.ResourceImages:
		image, digest, _ := strings.Cut(t.Name, "@")
		if c.Digest = digest; digest == "" {
			if at := strings.LastIndexByte(image, ':'); at > strings.LastIndexByte(image, '/') {
				image = image[:at] // all of its tags: a policy can't tell what a tag means
			}
			c.Image = image
		}
	case t.Group == "" && t.Resource == serviceAccounts.Resource:
		c.ServiceAccount = t.Namespace + "/" + t.Name
	default:
		return c, refuse(t, "nothing says what to keep out: name it, or give an image or a service account as the target")
	}
	if err := c.check(); err != nil {
		return c, refuse(t, "%v", err)
	}
	return c, nil
}

func (c KeepOutConfig) check() error {
	_, _, _, err := c.what()
	if err == nil && len(c.Namespace) > 63 {
		err = fmt.Errorf("%s: namespace %q is no name", admissionDeny, c.Namespace)
	}
	return err
}

// what is kept out: the key and value of the lockout's data, and in words.
func (c KeepOutConfig) what() (key, value, words string, err error) {
	n := 0
	bad := func(format string, args ...any) {
		err = fmt.Errorf("%s: %s", admissionDeny, fmt.Sprintf(format, args...))
	}
	if c.Digest != "" {
		n++
		key, value, words = "digest", c.Digest, "images with digest "+c.Digest
		if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(c.Digest) {
			bad("digest %q is not sha256: and 64 hexadecimal digits", cut(c.Digest, maxText))
		}
	}
	if c.Image != "" {
		n++
		key, value = "image", fullImage(c.Image)
		words = "image " + value
		if last := value[strings.LastIndexByte(value, '/')+1:]; len(value) > maxText || strings.ContainsAny(value, " \t\n@") || strings.ContainsRune(last, ':') || last == "" {
			bad("image %q has a tag or digest, or is none: leave these out, or make an image the step's target, as in target: image(target.image)", cut(c.Image, maxText))
		}
	}
	if c.Registry != "" {
		n++
		key, value = "registry", hub(strings.ToLower(c.Registry))
		words = "images of registry " + value
		if len(value) > 255 || strings.ContainsAny(value, "/ @\n\t") {
			bad("registry %q is no host", cut(c.Registry, maxText))
		}
	}
	if c.ServiceAccount != "" {
		n++
		key, value, words = "serviceAccount", c.ServiceAccount, "pods of service account "+c.ServiceAccount
		if ns, name, ok := strings.Cut(c.ServiceAccount, "/"); !ok || ns == "" || name == "" || len(c.ServiceAccount) > 512 || strings.Contains(name, "/") {
			bad("service_account %q is not NAMESPACE/NAME", cut(c.ServiceAccount, maxText))
		}
	}
	if c.Privileged {
		n++
		key, value, words = "privileged", "true", "privileged pods"
	}
	if n != 1 && err == nil {
		bad("name one of digest, image, registry, service_account and privileged")
	}
	return key, value, words, err
}

// fullImage is an image as REGISTRY/PATH, as container runtimes read it: nginx
// is docker.io/library/nginx.
func fullImage(image string) string {
	host, path, found := strings.Cut(image, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = "docker.io", image
	}
	host = hub(strings.ToLower(host))
	if host == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return host + "/" + path
}

// hub is Docker Hub's one name for all of its names.
func hub(host string) string {
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		return "docker.io"
	}
	return host
}

func (c KeepOutConfig) data(_ context.Context, r Request) (map[string]string, string, []string, error) {
	c, err := c.of(r.Target)
	if err != nil {
		return nil, "", nil, err
	}
	key, value, words, err := c.what()
	if err != nil {
		return nil, "", nil, err
	}
	data := map[string]string{key: value}
	notes := []string{
		"pods that run go on running, also when their containers are restarted",
		"pods of system namespaces and of marked ones are not kept out",
		"controllers try again and again: their workloads stay short of pods until the end",
	}
	where := ""
	if c.Namespace != "" {
		data["namespace"], where = c.Namespace, " in namespace "+c.Namespace
	}
	if key == "digest" {
		notes = append(notes, "an image that a pod names by its tag is not known by its digest: it gets in")
	}
	return data, "keep out " + words + where, notes, nil
}
