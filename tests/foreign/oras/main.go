// Copies the image "export" of an OCI image layout with the library of oras, and says its layers.
//
//	oras LAYOUT
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/content/oci"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func opened(ctx context.Context, path string) (oras.ReadOnlyTarget, error) {
	found, err := os.Stat(path)
	if err == nil && found.Mode().IsRegular() {
		return oci.NewFromTar(ctx, path)
	}
	var folder fs.FS = os.DirFS(path)
	return oci.NewFromFS(ctx, folder)
}

func main() {
	ctx := context.Background()
	layout, err := opened(ctx, os.Args[1])
	check(err)
	copied := memory.New()
	root, err := oras.Copy(ctx, layout, "export", copied, "", oras.DefaultCopyOptions)
	check(err)
	data, err := content.FetchAll(ctx, copied, root)
	check(err)
	var manifest ocispec.Manifest
	check(json.Unmarshal(data, &manifest))
	fmt.Println(root.Digest, manifest.ArtifactType)
	for _, layer := range manifest.Layers {
		_, err := content.FetchAll(ctx, copied, layer)
		check(err)
		fmt.Println(layer.Size, layer.Annotations[ocispec.AnnotationTitle])
	}
}
