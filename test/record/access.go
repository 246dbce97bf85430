package record

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

func access() []Act {
	return []Act{
		{Name: "exec into many pods", By: mallory.User, Rules: rules("exec-flood", "pod-exec"), do: execMany},
		{Name: "many ports forwarded", By: mallory.User, Rules: rules("port-forward-flood"), do: func(ctx context.Context, s *Stage) error {
			pods, err := s.pods(ctx, mallory, "shop", "")
			if err != nil {
				return err
			}
			return s.calls(ctx, mallory, each("0 POST /api/v1/namespaces/shop/pods/%s/portforward?ports=8080", pods...)...)
		}},
		{Name: "debug container, then a shell in it", By: mallory.User, Rules: rules("ephemeral-container-entered", "ephemeral-container"), do: debugged},
		plain("service account far from its pods", leaked, rules("system-principal-from-internet"), "GET /api/v1/namespaces/shop/configmaps/settings"),
		plain("acts as another", Who{User: "pat", From: "127.0.66.2", As: "ann", Groups: []string{"devs"}}, rules("impersonation"), "GET /api/v1/namespaces/shop/pods"),
		{Name: "impersonates one after the other", By: "pat", Rules: rules("impersonation-many", "impersonated-administrator"), do: func(ctx context.Context, s *Stage) error {
			for _, name := range []string{"ann", "ben", "ci", "mallory", "system:serviceaccount:ops:gitops", "system:serviceaccount:kube-system:generic-garbage-collector"} {
				who := stolen
				who.As = name
				if err := s.calls(ctx, who, "0 GET /api/v1/namespaces/shop/pods", "0 GET /api/v1/secrets"); err != nil {
					return err
				}
			}
			who := stolen
			who.As, who.Groups = "root", []string{"system:masters"}
			return s.calls(ctx, who, "GET /api/v1/namespaces/kube-system/secrets")
		}},
	}
}

func execMany(ctx context.Context, s *Stage) error {
	pods, err := s.pods(ctx, mallory, "shop", "")
	if err != nil {
		return err
	}
	if len(pods) < 5 {
		return errors.New("too few pods to enter")
	}
	for _, pod := range pods {
		if err := s.exec(ctx, mallory, "shop", pod, "echo", "uid=0"); err != nil {
			s.note("exec into %s: %v", pod, err)
		}
	}
	return nil
}

func debugged(ctx context.Context, s *Stage) error {
	pods, err := s.pods(ctx, mallory, "shop", "app%3Dcart")
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return errors.New("no pod to debug")
	}
	err = s.calls(ctx, stolen, "PATCH /api/v1/namespaces/shop/pods/"+pods[0]+`/ephemeralcontainers {"spec":{"ephemeralContainers":[{"name":"debugger","image":"docker.io/library/busybox:1","stdin":true,"tty":true,"targetContainerName":"cart"}]}}`)
	if err != nil {
		return err
	}
	if err := s.exec(ctx, stolen, "shop", pods[0], "echo", "root"); err != nil {
		s.note("exec into %s: %v", pods[0], err)
	}
	return nil
}

func (s *Stage) note(format string, args ...any) { fmt.Fprintf(s.log, format+"\n", args...) }

// newIdentity asks for a certificate, approves it itself and uses it.
func newIdentity(ctx context.Context, s *Stage) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "kube-helper", Organization: []string{"platform"}}}, key)
	if err != nil {
		return fmt.Errorf("ask for certificate: %w", err)
	}
	request := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	const at = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	spec := fmt.Sprintf(`{"request":%q,"signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"]}`, request)
	answer, err := s.call(ctx, stolen, fmt.Sprintf(`POST %s {"metadata":{"name":"helper"},"spec":%s}`, at, spec))
	if err != nil {
		return err
	}
	var made map[string]any
	if err := json.Unmarshal(answer, &made); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	made["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Approved", "status": "True", "reason": "ok"}}}
	body, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("approve request: %w", err)
	}
	if err := s.calls(ctx, stolen, "PUT "+at+"/helper/approval "+string(body)); err != nil {
		return err
	}
	var signed struct{ Status struct{ Certificate []byte } }
	err = eventually(ctx, func() error {
		answer, err := s.call(ctx, stolen, "GET "+at+"/helper")
		if err != nil {
			return err
		}
		if err := json.Unmarshal(answer, &signed); err != nil {
			return fmt.Errorf("read certificate: %w", err)
		}
		if len(signed.Status.Certificate) == 0 {
			return errors.New("not signed yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	who := Who{From: "127.0.66.10", cert: signed.Status.Certificate, key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})}
	return s.calls(ctx, who, "GET /api/v1/namespaces/ops/secrets")
}
