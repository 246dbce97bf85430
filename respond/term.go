package respond

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Run waits for the lease, goes on with all open runs, and then takes findings
// and inputs until ctx ends. What is under way then is gone on with at the next
// start. When the lease is lost, everything stops and it waits for it again. So
// it does, after a while, when the store could not be read or written: a
// responder that ends is of no use to anybody. It returns an error only when the
// store was closed.
func (w *Worker) Run(ctx context.Context) error {
	wait := minRest
	for {
		w.standby.Store(!w.lease.alone)
		epoch, err := w.lease.take(ctx, w.logger)
		w.standby.Store(false)
		if err != nil {
			return ended(ctx, err)
		}
		began := time.Now()
		err = w.term(ctx, epoch)
		w.ready.Store(false)
		switch {
		case errors.Is(err, errLeaseLost):
			w.logger.Warn("no longer the active responder", "epoch", epoch, "error", err)
			continue
		case err == nil || ctx.Err() != nil || errors.Is(err, bus.ErrClosed):
			w.lease.let(ctx)
			return ended(ctx, err)
		}
		w.lease.let(ctx) // somebody else may fare better
		if time.Since(began) > maxRest {
			wait = minRest
		}
		w.logger.Error("the responder begins anew", "epoch", epoch, "in", wait.String(), "error", err)
		if err := sleep(ctx, wait); err != nil {
			return nil
		}
		wait = min(2*wait, maxRest)
	}
}

// minRest and maxRest are how long a responder rests before it begins anew.
const minRest, maxRest = 500 * time.Millisecond, 30 * time.Second

// ended is err, but nothing where it only says that ctx has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// term works under one lease, and ends with it.
func (w *Worker) term(ctx context.Context, epoch uint64) error {
	began := time.Now()
	w.begin(epoch)
	group, ctx := errgroup.WithContext(ctx)
	w.group = group
	group.Go(func() error { return w.lease.hold(ctx) })
	err := w.resume(ctx)
	group.Go(func() error { return w.tidy(ctx) })
	group.Go(func() error { return w.trust(ctx) })
	group.Go(func() error { return w.reviews(ctx) })
	group.Go(func() error { return w.archive(ctx) })
	if err == nil {
		err = w.follow(ctx, "cursor.inputs", w.inputs)
	}
	if err == nil {
		err = w.follow(ctx, "cursor.findings", w.findings)
	}
	if err != nil {
		group.Go(func() error { return err }) // which ends what runs already
	} else {
		group.Go(func() error { return w.tend(ctx) })
		for _, run := range w.beside {
			group.Go(func() error { return w.again(ctx, run) })
		}
		group.Go(func() error { return newReconciler(w, w.orphan).run(ctx, w.reconcile) })
		w.logger.Info("the active responder", "epoch", epoch, "after", time.Since(began).String())
	}
	w.ready.Store(err == nil)
	return group.Wait()
}

// again runs what goes beside, and begins it again when it ends.
func (w *Worker) again(ctx context.Context, run func(context.Context) error) error {
	for {
		err := run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.logger.Warn("what runs beside the responder ended; beginning it again", "error", err)
		if sleep(ctx, 2*time.Second) != nil {
			return nil
		}
	}
}

// tend keeps the incidents in line with their runs and with the time.
func (w *Worker) tend(ctx context.Context) error {
	const often, whole = 200 * time.Millisecond, 30 * time.Second
	swept := time.Now()
	for {
		if err := sleep(ctx, often); err != nil {
			return nil
		}
		w.rush.yield(ctx, maxYield)
		all := time.Since(swept) >= whole
		if all {
			swept = time.Now()
		}
		if err := w.incidents.Sweep(ctx, w.now(), all); err != nil && ctx.Err() == nil {
			w.logger.Warn("incidents do not show the newest of their runs yet", "error", err)
		}
	}
}

// follow works off a stream from where its cursor stands.
func (w *Worker) follow(ctx context.Context, key string, work func(context.Context, *cursor) error) error {
	at, err := openCursor(ctx, w.bus.Control(), key)
	if err != nil {
		return err
	}
	w.group.Go(func() error {
		at.keep(ctx, func(err error) { w.logger.Warn("the position was not saved", "error", err) })
		return nil
	})
	w.group.Go(func() error { return work(ctx, at) })
	return nil
}
