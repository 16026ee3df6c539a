// Checks a published log with the Go project's and transparency.dev's packages alone.
//
//	tlog FOLDER LOG-KEY WITNESS-KEY OLD-CHECKPOINT RECORD PROOF
//
// A name that is "-" is left out. The first thing that does not hold is said, and ends it with 1.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	formats "github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// published reads tiles from a folder; sumdb's paths name the height, those of tlog-tiles do not.
type published struct{ folder string }

func (published) Height() int { return height }

func (p published) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(p.folder, path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (published) SaveTiles([]tlog.Tile, [][]byte) {}

func check(err error, what string) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err, path)
	return data
}

// opened returns what a checkpoint says that each of some keys has signed.
func opened(data []byte, origin string, keys ...note.Verifier) tlog.Tree {
	for _, key := range keys {
		_, err := note.Open(data, note.VerifierList(key))
		check(err, "signature of "+key.Name())
	}
	point, _, _, err := formats.ParseCheckpoint(data, origin, keys[0])
	check(err, "checkpoint")
	return tlog.Tree{N: int64(point.Size), Hash: tlog.Hash(point.Hash)}
}

func entries(folder string, tree tlog.Tree) [][]byte {
	var found [][]byte
	for n := int64(0); n*256 < tree.N; n++ {
		tile := tlog.Tile{H: height, L: -1, N: n, W: int(min(256, tree.N-n*256))}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data", height), "tile/entries", 1)
		for data := read(filepath.Join(folder, path)); len(data) > 0; {
			size := 2 + int(binary.BigEndian.Uint16(data))
			found = append(found, data[2:size])
			data = data[size:]
		}
	}
	return found
}

func main() {
	folder, logKey, witnessKey, old, record, proved := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]
	key, err := note.NewVerifier(logKey)
	check(err, "the log's key")
	keys := []note.Verifier{key}
	if witnessKey != "-" {
		witness, err := cosignature.NewVerifierForCosignatureV1(witnessKey)
		check(err, "the witness's key")
		keys = append(keys, witness)
	}
	tree := opened(read(filepath.Join(folder, "checkpoint")), key.Name(), keys...)
	hashes := tlog.TileHashReader(tree, published{folder})

	root, err := tlog.TreeHash(tree.N, hashes)
	check(err, "tiles")
	if root != tree.Hash {
		check(fmt.Errorf("found %v, expected %v", root, tree.Hash), "root")
	}
	all := entries(folder, tree)
	if int64(len(all)) != tree.N {
		check(fmt.Errorf("found %d, expected %d", len(all), tree.N), "entries")
	}
	for index, entry := range all {
		steps, err := tlog.ProveRecord(tree.N, int64(index), hashes)
		check(err, "proof of a record")
		check(tlog.CheckRecord(steps, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)), fmt.Sprintf("record %d", index+1))
	}
	if old != "-" {
		before := opened(read(old), key.Name(), key)
		if before.N > tree.N {
			check(fmt.Errorf("%d records, and %d before", tree.N, before.N), "cut off")
		}
		steps, err := tlog.ProveTree(tree.N, before.N, hashes)
		check(err, "proof of the older tree")
		check(tlog.CheckTree(steps, tree.N, tree.Hash, before.N, before.Hash), "rewritten")
	}
	if record != "-" {
		var alone proof.TLogProof
		check(alone.Unmarshal(read(proved)), "proof")
		seen := opened(alone.Checkpoint, key.Name(), keys...)
		steps := make(tlog.RecordProof, len(alone.Hashes))
		for place, hash := range alone.Hashes {
			steps[place] = tlog.Hash(hash)
		}
		leaf := tlog.RecordHash(bytes.TrimSuffix(read(record), []byte("\n")))
		check(tlog.CheckRecord(steps, seen.N, seen.Hash, int64(alone.Index), leaf), "the record's own proof")
	}
	fmt.Printf("%d records verify\n", tree.N)
}
