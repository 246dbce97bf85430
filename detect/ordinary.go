package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A rule is tried a few times with each event: the shortest time is that which the
// machine's other work did not add to. All together takes a second at most, or one
// event's time.
const (
	trials   = 5
	trialMax = time.Second
)

// try is how long a detector takes for the dearest of some events, with nothing
// remembered.
func (w *Worker) try(d Detector, events ...event.Event) (most time.Duration) {
	run, err := d.Open(Limits{Groups: w.Engine.o.Groups, Bytes: w.Engine.o.Bytes, Late: w.Engine.o.Lateness})
	if err != nil {
		return 0 // it was compiled when it was loaded
	}
	s, began := slot{Detector: d, run: run}, time.Now()
	for i, e := range events {
		if !slices.Contains(d.Sources(), e.Source) {
			continue
		}
		least := time.Duration(-1)
		for j := range trials {
			e.ID = fmt.Sprint("tried-", i, "-", j)
			at, m := event.Address{Index: j}, Moment{Now: e.Received, Time: e.Time, Order: uint64(i*trials + j)} // #nosec G115 -- a few
			start := time.Now()
			_, _ = s.fold(&e, at, m) // what it can't evaluate is told when it comes
			if took := time.Since(start); least < 0 || took < least {
				least = took
			}
			if time.Since(began) > trialMax {
				break
			}
		}
		if most = max(most, least); time.Since(began) > trialMax {
			break
		}
	}
	return most
}

// ordinary are events as they come every day, the larger of their kinds. Nobody
// else has a say in what they are.
func ordinary() []event.Event {
	pod := event.Ref{Resource: "pods", Kind: "Pod", Namespace: "shop", Name: "cart-7d4b9c6f5-x2x7q", UID: "0b6d7a34-6c1e-4f0a-9a51-3f0f6f2d8a11"}
	var containers []any
	for i := range 6 {
		var env []any
		for j := range 12 {
			env = append(env, map[string]any{"name": fmt.Sprint("SETTING_", j), "value": "some value of ordinary length"})
		}
		containers = append(containers, map[string]any{
			"name": fmt.Sprint("c", i), "image": "registry.example.com/shop/cart:1.14.2", "args": []any{"--listen=:8080", "--log-format=json"}, "env": env,
			"resources": map[string]any{"limits": map[string]any{"cpu": "500m", "memory": "256Mi"}}, "securityContext": map[string]any{"runAsNonRoot": true},
		})
	}
	by := event.Actor{User: "system:serviceaccount:shop:deployer", Groups: []string{"system:serviceaccounts", "system:authenticated"}, Address: "10.0.3.17", UserAgent: "kubectl/v1.36.0 (linux/amd64)"}
	path := "/api/v1/items/4711?page=2&size=50&sort=name&q=garden%20chairs&token=" + strings.Repeat("QmFzZTY0", 24)
	browser := "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	all := []event.Event{
		{
			Source: event.SourceAudit, Class: event.ClassAPI, Verb: "create", Outcome: event.OutcomeAllowed, Actor: by, Object: pod,
			Fields: event.Fields{"stage": "ResponseComplete", "uri": "/api/v1/namespaces/shop/pods", "code": int64(201), "request": map[string]any{"spec": map[string]any{"containers": containers}}},
		},
		{
			Source: event.SourceAudit, Class: event.ClassAPI, Verb: "list", Outcome: event.OutcomeAllowed, Actor: by, Object: event.Ref{Resource: "secrets", Namespace: "shop"},
			Fields: event.Fields{"stage": "ResponseComplete", "uri": "/api/v1/namespaces/shop/secrets?limit=500", "code": int64(200)},
		},
		{
			Source: event.SourceAudit, Class: event.ClassAPIExec, Verb: "create", Outcome: event.OutcomeAllowed, Actor: by,
			Object: event.Ref{Resource: "pods", Subresource: "exec", Namespace: "shop", Name: pod.Name}, Fields: event.Fields{"stage": "ResponseComplete", "uri": "/api/v1/namespaces/shop/pods/cart/exec?command=sh&command=-c&command=ls"},
		},
		{
			Source: event.SourceFalco, Class: event.ClassProcessExec, Rule: "Terminal shell in container", Priority: "Notice", Object: pod, Actor: event.Actor{User: "root", Process: "sh -c ls -la /srv/data"},
			Message: "A shell was spawned in a container (user=root shell=sh parent=runc cmdline=sh -c ls -la /srv/data)", Tags: []string{"container", "shell", "mitre_execution"},
			Fields: event.Fields{"proc.name": "sh", "proc.pname": "runc", "proc.cmdline": "sh -c ls -la /srv/data", "fd.name": "/dev/pts/0", "user.name": "root", "container.image.repository": "shop/cart"},
		},
		{
			Source: event.SourceLog, Class: event.ClassHTTP, Object: pod, Actor: event.Actor{Address: "203.0.113.9", UserAgent: browser}, HTTP: event.HTTP{Method: "GET", Path: path, Status: 200, Duration: .02, Bytes: 5120},
			Message: `203.0.113.9 - - "GET ` + path + ` HTTP/1.1" 200 5120 "https://shop.example.com/" "` + browser + `"`, Fields: event.Fields{"referer": "https://shop.example.com/", "kind": "access"},
		},
		{
			Source: event.SourceLog, Class: event.ClassLogin, Object: pod, Outcome: event.OutcomeFailure, Actor: event.Actor{User: "ann", Address: "203.0.113.9"},
			Message: "Failed password for ann from 203.0.113.9 port 51514 ssh2",
		},
		{Source: event.SourceLog, Class: event.ClassLogLine, Object: pod, Message: strings.Repeat("order 4711 was paid by card in 120 ms; ", 8)},
		{Source: event.SourceLog, Class: event.ClassLogError, Object: pod, Message: "java.lang.IllegalStateException: cart is closed\n" + strings.Repeat("\tat com.example.shop.Cart.add(Cart.java:117)\n", 30)},
		{Source: event.SourceControl, Class: event.ClassControl, Verb: event.VerbTick},
	}
	for i := range all {
		all[i].Time = time.Unix(1_800_000_000, 0).UTC()
		all[i].Received = all[i].Time
	}
	return all
}
