"""Where the settings come from; filled by the plans room's reader of planctl.yaml."""
