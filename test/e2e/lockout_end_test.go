package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// TestLockoutEndsWithAJob tries a clock that the cluster itself has: a Job of no
// pods is finished as soon as it is made, and is taken away after its TTL, and
// with it the lockout that it owns. So all requests of who was locked out are
// answered again, updates and deletes too, though nobody took the lockout away.
func TestLockoutEndsWithAJob(t *testing.T) {
	lockouts(t)
	client, ctx := admin(t), t.Context()
	ns := namespace(t, client)
	const user = "carol@example.com"
	carol := as(t, user)
	if _, err := carol.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "y"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := func(ctx context.Context) error {
		_, err := carol.CoreV1().ConfigMaps(ns).Patch(ctx, "y", "application/merge-patch+json", []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{})
		return err
	}
	none, ttl := int32(0), int32(8)
	spec := template().Spec
	spec.RestartPolicy = corev1.RestartPolicyNever
	job, err := client.BatchV1().Jobs(lockoutHome).Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "firebreak-" + ns},
		Spec:       batchv1.JobSpec{Completions: &none, TTLSecondsAfterFinished: &ttl, Template: corev1.PodTemplateSpec{Spec: spec}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := client.CoreV1().ConfigMaps(lockoutHome).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: job.Name, Labels: map[string]string{kube.LockoutLabel: kube.LockoutIdentity},
			Annotations:     map[string]string{action.UntilKey: time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}},
		},
		Data: map[string]string{"user": user},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// On a slow machine it may be over before it was seen: then nothing is said
	// about it, but that it ends.
	eventually(t, "the lockout", func(ctx context.Context) error {
		if _, err := client.CoreV1().ConfigMaps(lockoutHome).Get(ctx, lock.Name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
			t.Log("it was over before it was seen")
			return nil
		}
		return keptOut(patch(ctx), "locked out")
	})
	eventually(t, "the end by the Job's TTL", func(ctx context.Context) error {
		if _, err := client.CoreV1().ConfigMaps(lockoutHome).Get(ctx, lock.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return errors.New("the lockout is there still: " + errorText(err))
		}
		return patch(ctx)
	})
	if _, err := client.BatchV1().Jobs(lockoutHome).Get(ctx, job.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the job: %v", err)
	}
	pods, err := client.CoreV1().Pods(lockoutHome).List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + job.Name})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods ran for it: %v", len(pods.Items), err)
	}
}
