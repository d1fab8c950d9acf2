"""What must not leave: personal data found, masked and put back."""
