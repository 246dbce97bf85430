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
