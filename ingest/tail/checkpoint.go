package tail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

type checkpoint struct {
	Version int        `json:"version"`
	Files   []position `json:"files"`
}

const checkpointVersion = 2

var errVersion = errors.New("version is unknown")

// loadCheckpoint reads the positions of the last run; none when there is no
// file.
func loadCheckpoint(path string) ([]position, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	if c.Version != checkpointVersion {
		return nil, fmt.Errorf("read checkpoint %s: %w: %d", path, errVersion, c.Version)
	}
	for _, p := range c.Files {
		if p.Offset < 0 || p.Number < 0 || p.HeadLen < 0 || p.HeadLen > hashMax || p.TailLen < 0 || p.TailLen > hashMax || int64(p.TailLen) > p.Offset {
			return nil, fmt.Errorf("read checkpoint %s: position of %s is out of bounds", path, p.Path)
		}
	}
	return c.Files, nil
}

// saveCheckpoint replaces the file in one step, on disk before it returns. It
// makes the directory, which nobody else does where the streams are elsewhere.
func saveCheckpoint(path string, files []position) error {
	data, err := json.Marshal(checkpoint{Version: checkpointVersion, Files: files})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	// One name, so that a crash leaves one file behind at most.
	tmp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save checkpoint: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}
