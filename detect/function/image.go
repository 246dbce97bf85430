package function

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:  conf.Func{Name: "image_ref", Signature: new(func(any) map[string]any), Fn: imageRef},
		Usage: "image_ref(text) {registry, repository, name, tag, digest, written}",
		Doc: "The parts of an image's reference, by the rules of container runtimes: nginx is docker.io, library/nginx, nginx, latest, without a digest. " +
			"With a digest and no tag, the tag is empty; written is the reference as it is, without tag and digest. All are empty when the text is no reference.",
		Example: `image_ref("ghcr.io/acme/shop:1.4").registry == "ghcr.io" and image_ref("nginx").tag == "latest"`,
	})
}

// maxImage is more than a reference may have: a name of 255 bytes, a tag of 128
// and a digest.
const maxImage = 1024

// imageRef reads https://pkg.go.dev/github.com/distribution/reference's grammar,
// leniently.
func imageRef(args ...any) (any, error) {
	out := map[string]any{"registry": "", "repository": "", "name": "", "tag": "", "digest": "", "written": ""}
	ref, _ := args[0].(string)
	if ref == "" || len(ref) > maxImage || strings.ContainsAny(ref, " \t\r\n") {
		return out, nil
	}
	rest, digest, _ := strings.Cut(ref, "@")
	tag := ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, tag = rest[:i], rest[i+1:]
	}
	out["written"] = rest
	registry, repository, ok := strings.Cut(rest, "/")
	if !ok || !strings.ContainsAny(registry, ".:") && registry != "localhost" && strings.ToLower(registry) == registry {
		registry, repository = "docker.io", rest
	}
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	if registry == "docker.io" && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	if tag == "" && digest == "" {
		tag = "latest"
	}
	out["registry"], out["repository"], out["name"] = registry, repository, pathBase(repository)
	out["tag"], out["digest"] = tag, digest
	return out, nil
}
