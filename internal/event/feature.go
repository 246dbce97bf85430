package event

// Feature is what one number has to do with a model's finding.
type Feature struct {
	// Name is the model document's.
	Name string `json:"name" expr:"name"`
	// Value is the number that the model's expression measures, before it is
	// compared with the entity's past. It is left out when it is missing.
	Value *float64 `json:"value,omitempty" expr:"value"`
	// Text is the value of a category that was found unusual.
	Text string `json:"text,omitempty" expr:"text"`
	// Low and High are the entity's usual range, Usual the value of a category
	// that it has most, as far as they are known.
	Low   *float64 `json:"low,omitempty" expr:"low"`
	High  *float64 `json:"high,omitempty" expr:"high"`
	Usual string   `json:"usual,omitempty" expr:"usual"`
	// Peers says that Usual is what the entity's peers have most: of its own there
	// is none yet.
	Peers bool `json:"peers,omitempty" expr:"peers"`
	// Direction is above, below or inside the usual, or new for what was never
	// seen before.
	Direction string `json:"direction,omitempty" expr:"direction"`
	// Contribution is by how much it brings the score away from what is normal.
	// Those of all features sum to Distance from normal, in cuts of a tree.
	Contribution float64 `json:"contribution" expr:"contribution"`
	// Nearest is the value that the most alike normal example has, on the
	// model's scale, and Scaled this one's.
	Scaled  *float64 `json:"scaled,omitempty" expr:"scaled"`
	Nearest *float64 `json:"nearest,omitempty" expr:"nearest"`
}
