package ingest

import "strings"

// aksColumns are the columns of Azure's tables AKSAudit and AKSAuditAdmin and
// the members of an audit event that they hold. A diagnostic setting with
// resource-specific tables fills them, and a data export rule gives the rows on
// (https://learn.microsoft.com/azure/azure-monitor/reference/tables/aksaudit).
var aksColumns = map[string]string{
	"AuditId": "auditID", "Level": "level", "Stage": "stage", "RequestUri": "requestURI", "Verb": "verb", "User": "user",
	"ImpersonatedUser": "impersonatedUser", "SourceIps": "sourceIPs", "UserAgent": "userAgent", "ObjectRef": "objectRef",
	"ResponseStatus": "responseStatus", "RequestObject": "requestObject", "ResponseObject": "responseObject", "Annotations": "annotations",
	"RequestReceivedTime": "requestReceivedTimestamp", "StageReceivedTime": "stageTimestamp",
}

// aksBodies are the columns that hold a word instead where the object was too
// large for Azure.
var aksBodies = map[string]string{"RequestObject": "fields.request", "ResponseObject": "fields.response"}

// isTableRow says whether an object is a row of one of the tables.
func isTableRow(t map[string]any) bool {
	name, _ := t["Type"].(string)
	return strings.HasPrefix(name, "AKSAudit") || isText(t["AuditId"]) && isText(t["Verb"]) && t["auditID"] == nil
}

// fromTable turns a row into the API server's own audit event, with what it
// says of the cluster, and names the parts that Azure left out. A column of
// type dynamic may be text that holds JSON.
func fromTable(row map[string]any) (tree, cloud map[string]any, cut []string) {
	tree = map[string]any{"kind": "Event", "apiVersion": "audit.k8s.io/v1"}
	for column, name := range aksColumns {
		v, ok := row[column]
		if !ok || v == nil || v == "" {
			continue
		}
		if text, isText := v.(string); isText {
			part, isBody := aksBodies[column]
			if inner, ok := dynamic(text); ok {
				v = inner
			} else if isBody {
				cut = append(cut, part)
				continue
			}
		}
		tree[name] = v
	}
	if tree["requestReceivedTimestamp"] == nil && isText(row["TimeGenerated"]) {
		tree["requestReceivedTimestamp"] = row["TimeGenerated"]
	}
	if id, ok := row["_ResourceId"].(string); ok && id != "" {
		cloud = cloudOf(map[string]string{"resourceId": id})
	}
	return tree, cloud, cut
}

// dynamic reads an object or a list that stands in a text.
func dynamic(text string) (any, bool) {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return nil, false
	}
	obj, err := parseObject([]byte(`{"v":` + text + `}`))
	if err != nil || len(obj.tree) != 1 {
		return nil, false
	}
	return obj.tree["v"], true
}
