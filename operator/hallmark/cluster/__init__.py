"""The only Kubernetes I/O: client, gathering of inputs, status and events. Knows no kopf."""
