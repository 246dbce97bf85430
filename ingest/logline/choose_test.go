package logline

import "testing"

func TestAnnotated(t *testing.T) {
	for _, c := range []struct{ annotation, container, want string }{
		{"", "web", ""},
		{"json", "web", "json"},
		{" json ", "web", "json"},
		{"no-such-parser", "web", ""},
		{"web=json", "web", "json"},
		{"web=json", "other", ""},
		{"other=json", "web", ""},
		{"other = nothing , web = json", "web", "json"},
		{"web=nothing,json", "web", ""},
		{"json,web=json", "web", "json"},
		{",,=,==,", "web", ""},
	} {
		p, ok := Choose(c.annotation, c.container, "example.org/app:1")
		if p.Name != c.want || ok != (c.want != "") {
			t.Errorf("%q for %s chooses %q, %v", c.annotation, c.container, p.Name, ok)
		}
	}
}

func TestRepository(t *testing.T) {
	for image, want := range map[string]string{
		"":                     "",
		"nginx":                "nginx",
		"nginx:1.29":           "nginx",
		"localhost:5000/nginx": "localhost:5000/nginx",
		"registry.k8s.io/ingress-nginx/controller:v1.13.0@sha256:0123": "registry.k8s.io/ingress-nginx/controller",
	} {
		if got := repository(image); got != want {
			t.Errorf("%q has the repository %q, want %q", image, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ annotation, container, image, want string }{
		{"", "web", "nginx", "nginx"},
		{"", "web", "docker.io/library/nginx:1.29@sha256:00", "nginx"},
		{"", "web", "localhost:5000/team/nginx:1", "nginx"},
		{"", "web", "example.org/not-nginx:1", ""},
		{"", "web", "example.org/nginx/exporter:1", ""},
		{"", "controller", "registry.k8s.io/ingress-nginx/controller:v1.13.0@sha256:00", "ingress-nginx"},
		{"", "controller", "example.org/other/controller:1", ""},
		{"", "istio-proxy", "docker.io/istio/proxyv2:1.27.0", "envoy"},
		{"", "istio-proxy", "", "envoy"},
		{"", "proxy", "envoyproxy/envoy:v1.35.0", "envoy"},
		{"", "x", "httpd:2.4", "apache"},
		{"", "x", "traefik:v3", "traefik"},
		{"", "x", "haproxytech/kubernetes-ingress:3", "haproxy"},
		{"", "grafana", "grafana/grafana:12.0.0", "grafana"},
		{"", "haproxy", "example.org/custom:1", "haproxy"},
		{"", "haproxy", "nginx", "nginx"},
		{"traefik", "haproxy", "nginx", "traefik"},
		{"haproxy=logfmt", "haproxy", "nginx", "logfmt"},
		{"other=logfmt", "haproxy", "nginx", "nginx"},
		{"no-such-parser", "haproxy", "nginx", "nginx"},
	} {
		p, ok := Choose(c.annotation, c.container, c.image)
		if p.Name != c.want || ok != (c.want != "") {
			t.Errorf("%q, %s, %s: chose %q, %v", c.annotation, c.container, c.image, p.Name, ok)
		}
	}
}

// A container writes more than the form that is chosen for it, and no parser
// loses a line of another's.
func TestChosenFallsBack(t *testing.T) {
	for name, text := range map[string]string{
		"nginx":   `2023/10/10 13:55:36 [notice] 1#1: started`,
		"apache":  `[Tue Oct 10 13:55:36.123456 2023] [core:error] [pid 35708:tid 4328636416] AH00128: x`,
		"logfmt":  `level=info msg=x`,
		"json":    `{"a":1}`,
		"haproxy": `Connect from 203.0.113.5:33312 to 10.0.3.31:8012 (www/HTTP)`,
	} {
		for _, p := range Parsers() {
			if m := p.Read(text); m.Format != name {
				t.Errorf("%s chosen: %q is taken for %q, not %s", p.Name, text, m.Format, name)
			}
		}
	}
}

// The catalogue is sound: one parser a name, documented, and no name of a
// program or an image of two.
func TestCatalogue(t *testing.T) {
	seen := map[string]string{}
	for _, p := range Parsers() {
		if p.Doc == "" || p.Order == 0 || p.Parse == nil && p.Object == nil {
			t.Errorf("%s lacks its doc, its order or how to read", p.Name)
		}
		names := []string{"parser " + p.Name}
		for _, s := range p.Programs {
			names = append(names, "program "+s)
		}
		for _, s := range p.Images {
			names = append(names, "image "+s)
		}
		for _, s := range names {
			if other, ok := seen[s]; ok {
				t.Errorf("%s is of %s and of %s", s, other, p.Name)
			}
			seen[s] = p.Name
		}
	}
}
