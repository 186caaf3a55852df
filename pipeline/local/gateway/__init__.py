"""The address that applications speak to: SES that sends, Firehose, Athena, and the emulator behind them."""
