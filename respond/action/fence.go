package action

import (
	"context"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// FenceKey is an annotation that stands for a moment on an object whose step
// was undone before it was seen to land.
const FenceKey = event.AnnotationPrefix + "fence"

// fence moves an object's resourceVersion, by an annotation that it sets and
// takes off again. A worker that was paused before it sent its patch could
// otherwise still land it after the undo, because an undo that finds nothing
// to undo changes nothing. It is needed only when nobody knows whether the
// effect landed: a receipt means that it did, and that its patch is spent.
//
// at names the object with UID and resourceVersion. An error that is lost
// means: read again, the late patch may have landed.
func fence(ctx context.Context, c Cluster, key string, done event.Receipt, at event.Write) error {
	if done.Result != "" {
		return nil
	}
	for _, value := range []any{key, nil} {
		var err error
		if at.Body, err = encode(object{"metadata": object{"annotations": object{FenceKey: value}}}); err != nil {
			return err
		}
		if _, at.ResourceVersion, err = c.Apply(ctx, at, kube.ApplyOptions{}); err != nil {
			return err
		}
	}
	return nil
}
