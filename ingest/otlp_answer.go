package ingest

import (
	"fmt"
	"net/http"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// exportResponse says how many records were refused.
func exportResponse(r Result) *collector.ExportLogsServiceResponse {
	response := &collector.ExportLogsServiceResponse{}
	if r.Rejected > 0 {
		response.PartialSuccess = &collector.ExportLogsPartialSuccess{
			RejectedLogRecords: int64(r.Rejected),
			ErrorMessage:       fmt.Sprintf("%d records could not be read; firebreak dead says why", r.Rejected),
		}
	}
	return response
}

// answerOTLP answers over HTTP, in the encoding of the request
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response).
func answerOTLP(w http.ResponseWriter, req *http.Request, r Result) {
	var message proto.Message = exportResponse(r)
	if r.Status != http.StatusOK {
		message = &status.Status{Code: int32(grpcCode(r.Status)), Message: r.Reason}
	}
	kind, encode := "application/json", protojson.Marshal
	if isProto(req.Header) {
		kind, encode = typeProto, proto.Marshal
	}
	body, err := encode(message)
	if err != nil {
		body = nil // both messages are our own and always encode
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(r.Status)
	_, _ = w.Write(body) // that the client is gone is no concern
}

// grpcCode is the code of gRPC for a status of HTTP. Unavailable is what an
// exporter tries again; what can never succeed must not be tried again.
func grpcCode(status int) codes.Code {
	switch status {
	case http.StatusOK:
		return codes.OK
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.InvalidArgument
}
