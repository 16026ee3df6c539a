// Command versitygw is the part of versitygw that serves a folder, and no other: the gateways before
// Azure, S3 and ScoutFS would bring their clients along. Its options have the names and defaults of
// versitygw's own, so that the manifests fit both.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	maxConnections = 250_000
	maxRequests    = 100_000
	maxParts       = 10_000
	maxCopied      = 5 << 30
	cacheSeconds   = 120
	pruneSeconds   = 3600
	concurrency    = 5000
	bufferBytes    = 1 << 20
	folderMode     = 0o755
	fileMode       = 0o644
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// run reads `[options] posix [--sidecar folder] folder`.
func run(ctx context.Context, arguments []string) error {
	var port string
	config := embedgw.Config{
		MaxConnections: maxConnections, MaxRequests: maxRequests, MultipartMaxParts: maxParts,
		IAMCacheTTL: cacheSeconds, IAMCachePrune: pruneSeconds,
	}
	options := flag.NewFlagSet("versitygw", flag.ContinueOnError)
	options.StringVar(&config.RootUserAccess, "access", os.Getenv("ROOT_ACCESS_KEY"), "root's id")
	options.StringVar(&config.RootUserSecret, "secret", os.Getenv("ROOT_SECRET_KEY"), "root's key")
	options.StringVar(&port, "port", ":7070", "the address to listen at")
	options.StringVar(&config.HealthPath, "health", "", "the path that answers without a key")
	options.StringVar(&config.IAMDir, "iam-dir", "", "the folder of users other than root")
	options.BoolVar(&config.Readonly, "readonly", false, "refuse every write")
	options.BoolVar(&config.Quiet, "quiet", false, "do not print requests")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	if options.Arg(0) != "posix" {
		return errors.New("expected the command posix: this build serves a folder and no other store")
	}
	config.Ports = []string{port}
	store, err := folder(options.Args()[1:])
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, store, &config)
}

func folder(arguments []string) (*posix.Posix, error) {
	options := flag.NewFlagSet("versitygw posix", flag.ContinueOnError)
	sidecar := options.String("sidecar", "", "the folder of metadata; without it, attributes of files")
	if err := options.Parse(arguments); err != nil {
		return nil, err
	}
	if options.NArg() != 1 {
		return nil, errors.New("expected one folder after the options of posix")
	}
	root := options.Arg(0)
	settings := posix.PosixOpts{
		SideCarDir: *sidecar, Concurrency: concurrency, IOBufferSize: bufferBytes,
		CopyObjectThreshold: maxCopied,
	}
	settings.SetNewDirPerm(folderMode)
	settings.SetNewFilePerm(fileMode)
	if *sidecar == "" {
		if err := (meta.XattrMeta{}).Test(root); err != nil {
			return nil, err
		}
		return posix.New(root, meta.XattrMeta{}, settings)
	}
	metadata, err := meta.NewSideCar(*sidecar)
	if err != nil {
		return nil, err
	}
	return posix.New(root, metadata, settings)
}
