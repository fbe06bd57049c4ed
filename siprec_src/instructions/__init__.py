"""What a voice application answers: TwiML and SVAML read into one vocabulary of instructions."""
