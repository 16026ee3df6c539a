"""The pages: server-rendered, the same without scripts, live with one small one."""
