"""From a raw video to aligned face frames: decoding, landmarks, tracking, alignment, quality."""
