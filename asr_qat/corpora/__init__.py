"""Speech corpora: one module each, all read into `asr_qat.corpora.utterance.Corpus`."""
