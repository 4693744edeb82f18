"""The fakes and both stores keep the same promises."""
