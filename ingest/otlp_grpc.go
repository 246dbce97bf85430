package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A call of gRPC with one message each way is a POST over HTTP/2 whose body is
// a frame (a byte that says whether the message is compressed, its length in
// four bytes, the message), and whose outcome stands in trailers
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). Read as
// that, it passes the same credentials, bounds and limits as every other
// source.

const frameHead = 5

// decodeGRPC reads the frame of one call. What it holds may be of at most max
// bytes once it is decompressed.
func decodeGRPC(max int64, trusted []netip.Prefix) func(*http.Request, []byte, Origin, func([]event.Event) error) ([]event.Rejected, error) {
	return func(req *http.Request, body []byte, o Origin, g func([]event.Event) error) ([]event.Rejected, error) {
		message, err := unframe(body, req.Header.Get("Grpc-Encoding"), max)
		if err != nil {
			return []event.Rejected{reject(event.SourceLog, o.From, err.Error(), body)}, errWhole(err.Error())
		}
		return otlpTo(message, false, trusted, o, g)
	}
}

func unframe(body []byte, encoding string, max int64) ([]byte, error) {
	if len(body) < frameHead || int64(binary.BigEndian.Uint32(body[1:frameHead])) != int64(len(body)-frameHead) {
		return nil, errors.New("malformed gRPC frame: the length is not that of the message")
	}
	message := body[frameHead:]
	var (
		data []byte
		err  error
	)
	switch {
	case body[0] == 0:
		return message, nil
	case body[0] == 1 && strings.EqualFold(encoding, "gzip"):
		data, err = gunzip(message, max)
	case body[0] == 1 && strings.EqualFold(encoding, "zstd"):
		data, err = unzstd(message, max)
	default:
		return nil, errors.New("malformed gRPC frame: compressed with something else than gzip or zstd")
	}
	if errors.Is(err, errInflated) || errors.Is(err, errRatio) {
		return nil, fmt.Errorf("message is larger than %d bytes, or compressed too well to be true", max)
	}
	return data, err
}

// answerGRPC answers a call: what went wrong stands in the trailers, the
// status of HTTP is always 200.
func answerGRPC(w http.ResponseWriter, _ *http.Request, r Result) {
	h := w.Header()
	h.Set("Content-Type", typeGRPC)
	h.Del("WWW-Authenticate")
	code, reason := grpcCode(r.Status), r.Reason
	if r.Status != http.StatusOK {
		// Without a message headers and trailers are one.
		h.Set("Grpc-Status", strconv.Itoa(int(code)))
		h.Set("Grpc-Message", url.PathEscape(reason))
		w.WriteHeader(http.StatusOK)
		return
	}
	message, err := proto.Marshal(exportResponse(r))
	if err != nil {
		message = nil // it is our own and always encodes
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(frame, message...)) // that the client is gone is no concern
	h.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(int(code)))
}
