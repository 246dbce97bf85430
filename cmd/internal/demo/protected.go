package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// protected: an alert about what the cluster can't do without. A guard denies
// the effect, whatever the playbook says.
func (d *demo) protected(ctx context.Context) error {
	d.board.scene("The same alert about the cluster's DNS: a guard says no")
	dns, err := d.one(ctx, "kube-system", "k8s-app=kube-dns")
	if err != nil {
		return err
	}
	alert, err := recorded("shell")
	if err != nil {
		return err
	}
	if err := d.post(ctx, alert.bind(dns.place, time.Now())); err != nil {
		return err
	}
	run, err := d.await(ctx, "contain-terminal-shell", dns.namespace, dns.place.pod)
	if err != nil {
		return err
	}
	if _, err := d.follow(ctx, run.ID, "is denied", in(event.RunDenied)); err != nil {
		return err
	}
	return d.readBack(ctx, "What is protected was not touched: the DNS pod of kube-system is as it was", func(ctx context.Context) (string, error) {
		return d.untouched(ctx, dns)
	})
}

// paused: operators hold everything back, and let it go on.
func (d *demo) paused(ctx context.Context) error {
	d.board.scene("Paused: what Falco reports meanwhile waits, and is done after the resume")
	ledger, err := d.one(ctx, "payments", "app=ledger")
	if err != nil {
		return err
	}
	if _, err := d.alice.say(ctx, "pause", "--reason", "change in payments until ten"); err != nil {
		return err
	}
	alert, err := recorded("sensitive-file")
	if err != nil {
		return err
	}
	if err := d.post(ctx, alert.bind(ledger.place, time.Now())); err != nil {
		return err
	}
	run, err := d.await(ctx, "contain-malicious-program", ledger.namespace, ledger.place.pod)
	if err != nil {
		return err
	}
	if _, err := d.follow(ctx, run.ID, "waits", func(r event.Run) bool {
		return r.State == event.RunRunning && r.Steps[0].State == event.StepPlanned && r.Steps[0].Error != ""
	}); err != nil {
		return err
	}
	if err := d.readBack(ctx, "While Firebreak was paused, nothing was written to the pod", func(ctx context.Context) (string, error) {
		return d.untouched(ctx, ledger)
	}); err != nil {
		return err
	}
	if _, err := d.alice.say(ctx, "resume"); err != nil {
		return err
	}
	if _, err := d.follow(ctx, run.ID, "holds", in(event.RunHolding)); err != nil {
		return err
	}
	return d.quarantined(ctx, "After the resume the pod went into quarantine by itself", ledger)
}

// one is the first ready pod that a selector matches.
func (d *demo) one(ctx context.Context, namespace, selector string) (pod, error) {
	pods, err := d.readyPods(ctx, namespace, selector)
	if err != nil {
		return pod{}, err
	}
	if len(pods) == 0 {
		return pod{}, fmt.Errorf("no pod of %s in %s is ready", selector, namespace)
	}
	return pods[0], nil
}
