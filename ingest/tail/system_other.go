//go:build !unix

package tail

import (
	"hash/fnv"
	"io/fs"
)

const noBlock = 0

// keyOf goes by the name where there are no inodes: a renamed file is taken
// for a new one.
func keyOf(info fs.FileInfo) fileKey {
	h := fnv.New64a()
	h.Write([]byte(info.Name()))
	return fileKey{0, h.Sum64()}
}

func openLimit() int { return 256 }
