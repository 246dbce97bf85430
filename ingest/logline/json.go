package logline

func init() {
	register(Parser{
		Name: "json",
		Doc: "One JSON object. Text, level, time and request are read under the names of the Elastic Common Schema, OpenTelemetry, " +
			"zap, logrus, zerolog, pino, bunyan, slog, Caddy, echo and Google Cloud.",
		Order:  OrderGeneral,
		Object: parseJSON,
	})
}

func parseJSON(fields map[string]any) (Message, bool) {
	return describe(fields), true
}
